// create, run, start, kill, delete, pause, resume.
#include <signal.h>
#include <unistd.h>

#include "bin/runtime/context.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

constexpr Flag kCreateFlags[] = {
    {"bundle", "b", Takes::Value, "path to the root of the bundle directory, defaults to the current directory"},
    {"console-socket", "", Takes::Value, "path to a socket that receives the terminal's master"},
    {"pid-file", "", Takes::Value, "file to write the process id to"},
    {"no-pivot", "", Takes::Nothing, "do not use pivot root to jail process inside rootfs"},
    {"no-new-keyring", "", Takes::Nothing, "do not create a new session keyring for the container"},
    {"preserve-fds", "", Takes::Value, "pass N additional file descriptors to the container"},
};
constexpr auto kRunFlags = with_flags(
    kCreateFlags, {
                      {"detach", "d", Takes::Nothing, "detach from the container's process"},
                      {"keep", "", Takes::Nothing, "do not delete the container after it exits"},
                      {"no-subreaper", "", Takes::Nothing, "kept for compatibility: no subreaper is ever needed"},
                  });
constexpr Flag kDeleteFlags[] = {{"force", "f", Takes::Nothing, "kill the container first if it is still running"}};
constexpr Flag kKillFlags[] = {{"all", "a", Takes::Nothing, "send the signal to all processes inside the container"}};

Result<runtime::CreateOptions> create_options(const Context& context, const Bundle& bundle, const std::string& id) {
  runtime::CreateOptions options;
  options.id = id;
  options.bundle = bundle.path;
  options.rootfs = {"/", "bind", bundle.rootfs, {"rbind"}, {}, {}};
  options.cgroup_path = runtime::cgroup_path_of(bundle.spec, id);
  options.stdio = {0, 1, 2};
  options.preserve_fds = TRY(preserved(context.args, handed_down_descriptors()));
  options.rootless = context.rootless;
  options.new_keyring = !context.args.has("no-new-keyring");
  options.no_pivot = context.args.has("no-pivot");
  if (bundle.spec.linux_ && bundle.spec.linux_->seccomp)
    options.seccomp = TRY(cached_seccomp(context.store.root(), *bundle.spec.linux_->seccomp));
  return options;
}

Result<void> check_console(const Context& context, const oci::Spec& spec, bool detached) {
  bool terminal = spec.process && spec.process->terminal, socket = context.args.has("console-socket");
  if (detached && terminal && !socket)
    return fail(Code::InvalidArgument, "cannot allocate tty if runc will detach without setting console socket");
  if (!terminal && socket)
    return fail(Code::InvalidArgument, "cannot use console socket if runc will not detach or allocate tty");
  return {};
}

runtime::StateDocument state_of(const Record& record, std::string status) {
  int pid = status == "stopped" ? 0 : record.pid;  // by then it may be somebody else's
  return {record.id, std::move(status), record.bundle, pid, record.annotations};
}

/// Failures of these hooks are warnings, as the specification has it.
void run_late_hooks(Context& context, const char* kind, const std::vector<oci::Hook> Record::* which,
                    const Record& record, const char* status) {
  for (const auto& hook : record.*which) {
    auto ran = runtime::run_hooks(kind, {hook}, runtime::format_state(state_of(record, status)));
    if (!ran) context.warn(ran.error().message());
  }
}

/// Everything of create() and run() before init is started.
struct Created {
  std::unique_ptr<runtime::Container> container;
  Record record;
};
Result<Created> make_container(Context& context, const std::string& id, const Bundle& bundle, int start_listener) {
  auto options = TRY(create_options(context, bundle, id));
  options.start_listener = start_listener;
  options.trace = context.debug;
  Created created;
  auto scope = TRY(ContainerScope::start(bundle));
  auto container = runtime::create(scope.spec(), options);
  if (!container) {
    // What hooks made while the container was created, hooks take away again.
    created.record = record_of(bundle, id);
    run_late_hooks(context, "poststop", &Record::poststop, created.record, "stopped");
    return std::move(container).error();
  }
  created.container = std::move(*container);
  auto& init = created.container->init();
  for (const auto& warning : init.warnings) context.warn(warning);
  auto done = [&]() -> Result<void> {
    created.record = TRY(record_of(bundle, id, init.pid));
    TRY(scope.settle(created.container->cgroups()));
    std::string socket = context.args.get("console-socket");
    if (!socket.empty() && init.console.valid()) {
      TRY(send_console(socket, init.console.get()));
      init.console.reset();
    }
    TRY(context.store.save(created.record, bundle.spec));
    return write_pid_file(context.args.get("pid-file"), init.pid);
  }();
  if (done) return created;
  (void)created.container->destroy();  // the first error is the one to tell
  (void)stop_scope(created.record);
  return std::move(done).error();
}

Result<int> create(Context& context) {
  std::string id = TRY(container_id(context));
  auto bundle = TRY(load_bundle(context.args.get("bundle")));
  TRY(check_console(context, bundle.spec, true));
  TRY(place_cgroups(context, bundle, id));
  TRY(context.store.claim(id, runtime::cgroup_path_of(bundle.spec, id)));
  Claim claim(context.store, id);
  auto listener = TRY(context.store.listen_for_start(id));
  auto created = TRY(make_container(context, id, bundle, listener.get()));
  context.log_timings(created.container->init().timings);
  claim.keep();
  return 0;
}

Result<int> run(Context& context) {
  std::string id = TRY(container_id(context));
  auto bundle = TRY(load_bundle(context.args.get("bundle")));
  bool detach = context.args.has("detach");
  TRY(check_console(context, bundle.spec, detach));
  TRY(place_cgroups(context, bundle, id));
  TRY(context.store.claim(id, runtime::cgroup_path_of(bundle.spec, id)));
  Claim claim(context.store, id);
  if (!detach) hold_signals();
  auto created = TRY(make_container(context, id, bundle, -1));
  auto finish = [&](bool keep) {
    auto destroyed = created.container->destroy();
    if (auto stopped = stop_scope(created.record); destroyed) destroyed = std::move(stopped);
    run_late_hooks(context, "poststop", &Record::poststop, created.record, "stopped");
    // An exit status must not be lost to a cgroup that lingers: it is a warning, and left to `delete`.
    if (keep || !destroyed)
      claim.keep();
    else
      destroyed = claim.forget();
    if (!destroyed) context.warn(destroyed.error().message());
  };
  auto started = created.container->start();
  context.log_timings(created.container->init().timings);
  if (!started) {
    finish(false);
    (void)sys::reap(created.container->init().pid);
    return std::move(started).error();
  }
  run_late_hooks(context, "poststart", &Record::poststart, created.record, "running");
  if (detach) {
    claim.keep();
    return 0;
  }
  auto code = attend(created.container->init());
  finish(context.args.has("keep"));
  return code;
}

Result<int> start(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  switch (TRY(context.store.status(record))) {
    case Status::Created:
      break;
    case Status::Stopped:
      return fail(Code::Conflict, "cannot start a container that has stopped");
    default:
      return fail(Code::Conflict, "cannot start an already running container");
  }
  std::optional<oci::Seccomp> asking;
  if (record.asks_agent) asking = TRY(context.store.load_spec(record.id)).linux_->seccomp;
  auto connection = TRY(context.store.connect_to_start(record.id));
  auto started = runtime::start_over(std::move(connection), state_of(record, "created"), asking ? &*asking : nullptr);
  context.store.start_done(record.id);
  if (!started) return std::move(started).error();
  run_late_hooks(context, "poststart", &Record::poststart, record, "running");
  return 0;
}

Result<int> kill(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  const auto& rest = context.args.rest();
  int signal = TRY(parse_signal(rest.size() > 1 ? rest[1] : "SIGTERM"));
  auto status = TRY(context.store.status(record));
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record.cgroup_path);
  if (context.args.has("all")) {
    if (signal == SIGKILL) {  // frozen ones and those just being forked too
      TRY(cgroups.kill_all());
      return 0;
    }
    for (pid_t pid : TRY(cgroups.processes())) ::kill(pid, signal);
    return 0;
  }
  if (status == Status::Stopped) return fail(Code::Conflict, "container not running");
  auto pidfd = TRY(sys::open_pidfd(record.pid));
  if (process_start(record.pid) != record.pid_start) return fail(Code::Conflict, "container not running");
  TRY(sys::send_signal(pidfd, signal));
  if (signal == SIGKILL && status == Status::Paused) TRY(cgroups.thaw());  // a frozen process does not die
  return 0;
}

Result<void> kill_init(const Record& record, const cgroup::Cgroup& cgroups) {
  auto pidfd = sys::open_pidfd(record.pid);
  bool alive = pidfd && process_start(record.pid) == record.pid_start;
  if (alive) TRY(sys::send_signal(*pidfd, SIGKILL));
  TRY(cgroups.kill_all());
  if (alive && !TRY(sys::wait_exited(*pidfd, std::chrono::seconds(10))))
    return fail(Code::DeadlineExceeded, "container init still running");
  return {};
}

/// False for what Cgroup::create() refuses: nothing was made there, and "/.." holds every process of the host.
bool may_be_ours(const std::string& cgroup_path) {
  std::string text = cgroup_path + "/";
  return text.find("//") == std::string::npos && text.find("/./") == std::string::npos &&
         text.find("/../") == std::string::npos && text.size() > 2 && text.starts_with('/');
}

/// What a create left that was killed before it wrote its state.
Result<void> remove_cut_off(const Store& store, const std::string& id) {
  if (std::string path = store.claimed_cgroup(id); may_be_ours(path)) {
    auto host = TRY(cgroup::detect_host());
    auto cgroups = cgroup::Cgroup::open(host, path);
    TRY(cgroups.kill_all());
    TRY(cgroups.remove());
  }
  return store.forget(id);
}

Result<int> remove(Context& context) {
  std::string id = TRY(container_id(context));
  bool force = context.args.has("force");
  auto record = context.store.load(id);
  if (!record) {
    if (!force || record.error().code() != Code::NotFound) return std::move(record).error();
    TRY(remove_cut_off(context.store, id));
    return 0;
  }
  auto status = TRY(context.store.status(*record));
  if (!force && (status == Status::Running || status == Status::Paused))
    return fail(Code::Conflict, "cannot delete container {} that is not stopped: {}", id, status_name(status));
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record->cgroup_path);
  TRY(kill_init(*record, cgroups));
  // A host whose systemd is gone must not keep the container for ever.
  if (auto stopped = stop_scope(*record); !stopped && !force) return std::move(stopped).error();
  TRY(cgroups.remove());
  run_late_hooks(context, "poststop", &Record::poststop, *record, "stopped");
  TRY(context.store.forget(id));
  return 0;
}

Result<int> set_paused(Context& context, bool paused) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  auto status = TRY(context.store.status(record));
  if (paused && status != Status::Running && status != Status::Created)
    return fail(Code::Conflict, "container not running: {}", status_name(status));
  if (!paused && status != Status::Paused) return fail(Code::Conflict, "container not paused");
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record.cgroup_path);
  TRY(paused ? cgroups.freeze() : cgroups.thaw());
  return 0;
}
Result<int> pause(Context& context) {
  return set_paused(context, true);
}
Result<int> resume(Context& context) {
  return set_paused(context, false);
}

constexpr Command kCommands[] = {
    {"create", "<container-id>", "create a container", kCreateFlags, create, true},
    {"run", "<container-id>", "create and run a container", kRunFlags, run, true},
    {"start", "<container-id>", "execute the user defined process in a created container", {}, start},
    {"kill", "<container-id> [signal]", "send a signal (default: SIGTERM) to the container's init process", kKillFlags,
     kill},
    {"delete", "<container-id>", "delete any resources held by the container", kDeleteFlags, remove},
    {"pause", "<container-id>", "suspend all processes inside the container", {}, pause},
    {"resume", "<container-id>", "resume all processes that have been previously paused", {}, resume},
};

}  // namespace

std::span<const Command> lifecycle_commands() {
  return kCommands;
}

}  // namespace sampan::bin
