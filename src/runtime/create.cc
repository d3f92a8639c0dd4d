#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "base/strings.h"
#include "runtime/internal/devices.h"
#include "runtime/internal/idmap.h"
#include "runtime/internal/plan.h"
#include "runtime/internal/process.h"
#include "runtime/internal/rootless.h"
#include "runtime/internal/seccomp.h"
#include "runtime/internal/validate.h"
#include "runtime/runtime.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/staged_mount.h"

namespace sampan::runtime {
namespace {

using internal::Channel;
using internal::Message;

class RunningContainer final : public Container {
 public:
  RunningContainer(std::unique_ptr<cgroup::HostCgroups> own_host, cgroup::Cgroup cgroups, Process init, Channel channel,
                   StateDocument state, std::optional<oci::Seccomp> listener)
      : own_host_(std::move(own_host)),
        cgroups_(std::move(cgroups)),
        init_(std::move(init)),
        channel_(std::move(channel)),
        state_(std::move(state)),
        listener_(std::move(listener)) {}

  void have_no_cgroups() { without_cgroups_ = true; }
  /// The last who holds an overlay waits while everything of the file system below it that is unwritten goes to the
  /// disk. That is not to be init, whose end is waited for: it would come seconds late on a busy disk.
  void hold_rootfs(sys::MountFd rootfs) { rootfs_ = std::move(rootfs); }
  Process& init() override { return init_; }
  const cgroup::Cgroup& cgroups() const override { return cgroups_; }

  Result<void> start() override {
    if (started_) return fail(Code::Conflict, "container {} has already been started", state_.id);
    std::optional<internal::Agent> agent;
    if (listener_) agent = TRY(internal::Agent::connect(*listener_));
    started_ = true;
    auto sent = channel_.send(Message::Go, format_state(state_));
    if (!sent) return fail(Code::Unavailable, "container {}: init has gone", state_.id);
    std::optional<internal::Handover> handover;
    if (agent) handover.emplace(internal::Handover{*agent, state_});
    auto outcome = internal::await_exec(channel_, init_, handover ? &*handover : nullptr);
    channel_.close();
    return outcome;
  }

  Result<void> destroy() override {
    (void)sys::send_signal(init_.pidfd, SIGKILL);  // dead already, or the descriptor was taken by the caller
    channel_.close();                              // an init that waits for its start ends by that
    auto killed = without_cgroups_ ? Result<void>() : cgroups_.kill_all();
    if (!started_) (void)sys::reap(init_.pid);
    started_ = true;
    auto removed = without_cgroups_
                       ? Result<void>()
                       : cgroups_.remove();  // succeeds only when nothing is left inside, whatever the killing said
    return removed || killed ? std::move(removed) : std::move(killed);
  }

 private:
  std::unique_ptr<cgroup::HostCgroups> own_host_;  // when the caller had none
  cgroup::Cgroup cgroups_;
  Process init_;
  Channel channel_;
  StateDocument state_;
  std::optional<oci::Seccomp> listener_;  // only its path and metadata; when a rule asks an agent
  sys::MountFd rootfs_;
  bool started_ = false;
  bool without_cgroups_ = false;  // rootless
};

/// Notes what each part of create() takes, when asked.
class Laps {
 public:
  Laps(bool wanted, std::vector<StepTime>& out) : wanted_(wanted), out_(out), began_(now()) {}
  void done(const char* part) {
    if (!wanted_) return;
    auto end = now();
    out_.push_back({part, std::chrono::nanoseconds(end - began_).count()});
    began_ = now();
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  static Time now() { return std::chrono::steady_clock::now(); }
  bool wanted_;
  std::vector<StepTime>& out_;
  Time began_;
};

/// Kills and reaps the child and removes the cgroup, unless keep() is reached.
class Undo {
 public:
  explicit Undo(const cgroup::Cgroup& cgroups) : cgroups_(&cgroups) {}
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  void watch(const Process& process) { process_ = &process; }
  void keep() { cgroups_ = nullptr; }
  ~Undo() {
    if (!cgroups_) return;
    if (process_ && process_->pid > 0) internal::kill_and_reap(*process_);
    (void)cgroups_->kill_all();  // hooks may have left something
    (void)cgroups_->remove();
  }

 private:
  const cgroup::Cgroup* cgroups_;
  const Process* process_ = nullptr;
};

/// What create() knows while it talks to the child.
struct Conversation {
  const oci::Spec& spec;
  const CreateOptions& options;
  Channel& channel;
  Process& init;
  StateDocument& state;
};

Result<void> answer_hooks(Conversation& talk) {
  talk.state.status = "creating";
  std::string state = format_state(talk.state);
  TRY(run_hooks("prestart", talk.spec.hooks->prestart, state));
  TRY(run_hooks("createRuntime", talk.spec.hooks->create_runtime, state));
  return talk.channel.send(Message::Go, state);
}

/// Serves the child until it is ready.
Result<void> await_ready(Conversation& talk) {
  for (;;) {
    auto received = TRY(internal::receive(talk.channel, talk.init));
    switch (received) {
      case Message::Ready:
        return {};
      case Message::NeedMaps:
        TRY_CONTEXT(
            internal::write_mappings(talk.init.pid, talk.spec.linux_->uid_mappings, talk.spec.linux_->gid_mappings),
            "map user ids");
        TRY(talk.channel.send(Message::Go));
        break;
      case Message::NeedHooks:
        TRY(answer_hooks(talk));
        break;
      default:
        return internal::death_of(talk.init);
    }
  }
}

internal::ProcessPlan process_plan(const oci::Spec& spec, const CreateOptions& options) {
  internal::ProcessPlan plan;
  plan.process = &*spec.process;
  plan.user = options.user;
  plan.group_add = options.group_add;
  plan.stdio = options.stdio;
  plan.preserve_fds = options.preserve_fds;
  plan.make_workdir = options.make_workdir;
  plan.new_keyring = options.new_keyring;
  plan.trace = options.trace;
  plan.hold(*spec.linux_);
  plan.keyring_name = "_ses." + options.id;
  if (!options.init_path.empty()) plan.args = {"/sbin/docker-init", "--"};
  plan.args.insert(plan.args.end(), spec.process->args.begin(), spec.process->args.end());
  return plan;
}

struct Seccomp {
  SeccompProgram compiled;
  std::span<const uint64_t> program;
  unsigned flags = 0;
  std::optional<oci::Seccomp> listener;
};

Result<Seccomp> seccomp_of(const oci::Spec& spec, const CreateOptions& options) {
  Seccomp seccomp;
  const auto& section = spec.linux_->seccomp;
  if (section) {
    bool listener = internal::needs_listener(*section);
    if (listener && section->listener_path.empty())
      return fail(Code::InvalidArgument, "linux.seccomp.listenerPath is not set, and a rule has SCMP_ACT_NOTIFY");
    seccomp.flags = TRY(internal::section_flags(*section, listener));
    if (listener) {
      seccomp.listener.emplace();
      seccomp.listener->listener_path = section->listener_path;
      seccomp.listener->listener_metadata = section->listener_metadata;
    }
  } else {
    seccomp.flags = TRY(internal::seccomp_flags({}));
  }
  if (options.seccomp) {
    seccomp.program = *options.seccomp;
  } else if (section) {
    seccomp.compiled = TRY_CONTEXT(compile_seccomp(*section), "seccomp");
    seccomp.program = seccomp.compiled;
  }
  return seccomp;
}

/// The caller that is not root becomes root of what would have been the container's new user namespace.
Result<internal::NamespacePlan> plan_rootless_namespaces(const oci::Spec& spec) {
  auto namespaces = TRY(internal::plan_namespaces(spec));
  TRY(internal::become_root_of_own_namespace(spec));
  if (namespaces.made_late & sys::ns::kIpc) {  // no need to wait: its maker is the mapped root
    namespaces.made_late &= ~sys::ns::kIpc;
    namespaces.made_by_clone |= sys::ns::kIpc;
  }
  namespaces.made_by_clone &= ~sys::ns::kUser;
  namespaces.user_entered = true;
  return namespaces;
}

/// Control groups that a rootless caller may not make are none: unless something is asked of them.
Result<cgroup::Cgroup> make_cgroups(const cgroup::HostCgroups& host, const oci::Spec& spec,
                                    const CreateOptions& options, Process& init, bool& none) {
  const std::string path = options.cgroup_path.empty() ? cgroup_path_of(spec, options.id) : options.cgroup_path;
  auto cgroups = cgroup::Cgroup::create(host, path, resources_of(spec), init.warnings);
  if (cgroups || !none || internal::wants_limits(spec)) {
    none = false;
    return cgroups;
  }
  return cgroup::Cgroup::open(host, path);
}

}  // namespace

Result<sys::NsFd> make_user_namespace(const oci::UserMappings& mappings) {
  return internal::make_user_namespace(mappings.uids, mappings.gids);
}

std::string cgroup_path_of(const oci::Spec& spec, const std::string& id) {
  std::string path = spec.linux_ ? spec.linux_->cgroups_path : "";
  if (path.empty()) return "/" + id;
  return path.starts_with('/') ? path : "/" + path;
}

oci::Resources resources_of(const oci::Spec& spec) {
  oci::Resources resources = spec.linux_->resources.value_or(oci::Resources());
  resources.devices = internal::device_rules(resources.devices);
  return resources;
}

Result<void> start_over(sys::Fd connection, const StateDocument& state, const oci::Seccomp* seccomp) {
  Channel channel(std::move(connection));
  Process init;
  std::optional<internal::Agent> agent;
  std::optional<internal::Handover> handover;
  if (seccomp && internal::needs_listener(*seccomp)) {
    init.pid = state.pid;
    init.pidfd = TRY(sys::open_pidfd(state.pid));
    agent = TRY(internal::Agent::connect(*seccomp));
    handover.emplace(internal::Handover{*agent, state});
  }
  if (!channel.send(Message::Go, format_state(state)))
    return fail(Code::Unavailable, "container {}: init has gone", state.id);
  return internal::await_exec(channel, init, handover ? &*handover : nullptr);
}

Result<std::unique_ptr<Container>> create(const oci::Spec& spec, const CreateOptions& options) {
  Process init;
  TRY(internal::validate_spec(spec));
  TRY(internal::validate_process(*spec.process, init.warnings));
  TRY(internal::keep_standard_descriptors_open());
  Laps laps(options.trace, init.timings);
  std::unique_ptr<cgroup::HostCgroups> own_host;
  if (!options.host_cgroups) own_host = std::make_unique<cgroup::HostCgroups>(TRY(cgroup::detect_host()));
  const auto& host = options.host_cgroups ? *options.host_cgroups : *own_host;
  bool stranger = ::geteuid() != 0;
  auto namespaces = TRY(stranger ? plan_rootless_namespaces(spec) : internal::plan_namespaces(spec));
  auto seccomp = TRY(seccomp_of(spec, options));
  laps.done("parent: look at the host");

  namespaces.no_cgroups = stranger || options.rootless;
  auto cgroups = TRY(make_cgroups(host, spec, options, init, namespaces.no_cgroups));
  laps.done("parent: create control groups");
  Undo undo(cgroups);
  auto plan = process_plan(spec, options);
  plan.seccomp = seccomp.program;
  plan.seccomp_flags = seccomp.flags;
  TRY(internal::plan_capabilities(*spec.process, plan, init.warnings));
  std::optional<sys::StagingArea> area;  // FALLBACK(linux<5.12): there, where the mounts are prepared until the clone
  if (namespaces.made_by_clone & sys::ns::kMount) area.emplace(TRY(sys::StagingArea::enter()));
  auto container = TRY(internal::plan_container(spec, options, host, cgroups, namespaces));

  laps.done("parent: open mounts");
  plan.start_listener = options.start_listener;
  plan.no_setgroups = internal::setgroups_denied("self");
  internal::Birth birth{plan, &container, nullptr, namespaces.no_cgroups ? nullptr : &cgroups,
                        namespaces.made_by_clone};
  birth.pid_namespace = namespaces.pid.get();
  birth.user_namespace = namespaces.user_joined;
  Channel channel = TRY(internal::give_birth(birth, init));
  area.reset();
  laps.done("parent: clone");
  undo.watch(init);
  StateDocument state{options.id, "creating", options.bundle, init.pid, spec.annotations};
  Conversation talk{spec, options, channel, init, state};
  TRY(await_ready(talk));
  undo.keep();
  state.status = "created";
  auto made = std::make_unique<RunningContainer>(std::move(own_host), std::move(cgroups), std::move(init),
                                                 std::move(channel), std::move(state), std::move(seccomp.listener));
  if (namespaces.no_cgroups) made->have_no_cgroups();
  made->hold_rootfs(std::move(container.rootfs));
  return std::unique_ptr<Container>(std::move(made));
}

}  // namespace sampan::runtime
