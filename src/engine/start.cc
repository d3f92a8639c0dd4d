// Starting a container: a list of steps. The new generation is written before the first, the running state after the
// last; a failure takes back what the steps made and keeps the error in the record.

#include <signal.h>

#include "base/strings.h"
#include "container/explain.h"
#include "engine/internal/start_attempt.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

/// The text that Docker's command line picks its exit code from.
Error runtime_error(const Error& error, const char* what) {
  std::string text = error.message();
  // The log's driver is not the runtime's: no part of the container was made yet.
  if (text.starts_with("failed to initialize logging driver"))
    return fail(Code::Internal, "failed to create task for container: {}", text);
  int exit_code = container::start_failure_code(text);
  // A request that could not work is the client's; anything else is ours.
  Code code = exit_code == 128 && error.code() != Code::InvalidArgument ? Code::Internal : Code::InvalidArgument;
  return fail(code,
              "failed to create task for container: failed to create shim task: OCI runtime create failed: {}: {}: "
              "unknown",
              what, text);
}

}  // namespace

Result<void> Core::start_container(const std::string& name) {
  auto locked = TRY(lock_container(name));
  TRY(container::can_start(*locked.record));
  loop_->cancel(std::exchange(locked.cell->restart_timer, 0));
  auto record = container::begin_start(*locked.record);
  record.restart_count = 0;
  locked.cell->restart_delay = {};
  return start_locked(locked.cell, std::move(record));
}

Result<void> Core::start_locked(const CellPtr& cell, ContainerRecord record, const std::string& restore_images) {
  if (shutting_down_ || stopping_all_) return fail(Code::Unavailable, "the daemon is shutting down");
  StartAttempt attempt;
  attempt.cell = cell;
  attempt.record = std::move(record);
  attempt.restore_images = restore_images;
  TRY(save(attempt.record, {}));
  auto started = try_start(attempt);
  if (started) started = finish_start(attempt);
  if (!started) undo_start(attempt, started.error());
  return started;
}

Result<void> Core::try_start(StartAttempt& attempt) {
  TRY(prepare_mounts(attempt));
  TRY_CONTEXT(join_networks(attempt), "failed to set up container networking");
  TRY(write_files(attempt));
  TRY(plan_process(attempt));
  TRY(create_process(attempt));
  return release_process(attempt);
}

Result<void> Core::prepare_mounts(StartAttempt& attempt) {
  attempt.mounts = TRY(resolve_mounts(attempt.record));
  return {};
}

/// The running container that "container:x" means.
Result<ContainerSnapshot> Core::namespace_owner(const std::string& mode) {
  auto found = TRY(containers_.get(mode.substr(mode.find(':') + 1)));
  if (found.record->state.pid == 0 || !found.record->state.running()) {
    return fail(Code::Conflict, "cannot join namespace of a non running container: container {} is {}",
                found.record->name, found.record->state.status);
  }
  return found.record;
}

Result<void> Core::plan_process(StartAttempt& attempt) {
  const ContainerRecord& record = attempt.record;
  auto& facts = attempt.facts;
  facts.cgroup_version = host_.cgroups.version;
  facts.possible_cpus = host_.possible_cpus;
  facts.mounts = std::move(attempt.mounts);
  facts.join_network = attempt.netns.ns.valid();
  facts.seccomp_available = false;  // the compiled program goes along instead
  TRY(add_device_facts(record.host_config, facts));
  for (const auto& [type, mode] : {std::pair<const char*, const std::string&>{"pid", record.host_config.pid_mode},
                                   {"ipc", record.host_config.ipc_mode},
                                   {"network", record.host_config.network_mode}}) {
    if (!mode.starts_with("container:")) continue;
    auto owner = TRY(namespace_owner(mode));
    const char* file = std::string_view(type) == "network" ? "net" : type;
    facts.namespace_paths[type] = fmt::format("/proc/{}/ns/{}", owner->state.pid, file);
    if (std::string_view(type) == "ipc") {
      facts.mounts.push_back({"/dev/shm",
                              "bind",
                              fmt::format("/proc/{}/root/dev/shm", owner->state.pid),
                              {"rbind", "rprivate", "nosuid", "noexec", "nodev"},
                              {},
                              {}});
    }
  }
  attempt.request.spec = TRY(container::make_runtime_spec(record, facts));
  attempt.request.seccomp = TRY(seccomp_program(record));
  return {};
}

/// Compiling a profile takes longer than starting a container: programs are kept by what they depend on.
Result<std::optional<runtime::SeccompProgram>> Core::seccomp_program(const ContainerRecord& record) {
  const auto& host = record.host_config;
  if (!host_.seccomp_available) return std::optional<runtime::SeccompProgram>();
  std::string key = host.privileged ? "privileged" : "";
  for (const auto* list : {&host.security_opt, &host.cap_add, &host.cap_drop}) {
    key += "\n";
    if (*list) key += join(**list, ",");
  }
  std::lock_guard lock(seccomp_mutex_);
  if (auto it = seccomp_cache_.find(key); it != seccomp_cache_.end()) return it->second;
  auto section = TRY(container::make_seccomp(record));
  std::optional<runtime::SeccompProgram> program;
  if (section) program = TRY_CONTEXT(runtime::compile_seccomp(*section), "compile the seccomp profile");
  if (seccomp_cache_.size() >= 256) seccomp_cache_.clear();
  seccomp_cache_[key] = program;
  return program;
}

Result<void> Core::create_process(StartAttempt& attempt) {
  const ContainerRecord& record = attempt.record;
  auto& request = attempt.request;
  request.id = record.id;
  request.generation = record.generation;
  request.dir = shim_dir(record.id);
  request.rootfs = TRY(snapshots_->mount(SnapshotKey(record.id)));
  request.user = record.config.user;
  if (record.host_config.group_add) request.group_add = *record.host_config.group_add;
  request.cgroup_path = cgroup_path(record);
  if (record.host_config.init.value_or(false)) {
    if (options_.init_program.empty())
      return fail(Code::NotImplemented, "--init: this installation has no init program");
    request.init_path = options_.init_program;
  }
  request.tty = record.config.tty;
  request.open_stdin = record.config.open_stdin;
  request.stdin_once = record.config.stdin_once;
  request.log = TRY(container::plan_log(record, container::log_file(record)));
  if (request.log.forwarding) request.log.forwarding->program = options_.logger_program;
  request.netns = std::move(attempt.netns.ns);
  plan_probes(attempt);
  request.restart = container::restart_rule(record);
  request.restore_images = attempt.restore_images;
  if (!attempt.restore_images.empty()) request.restore_work = container_dir(record.id) + "/criu";
  (void)sys::remove_tree(request.dir);  // of an earlier run whose exit is in the record already
  auto connection = zygote_->create(std::move(request));
  if (!connection) return runtime_error(connection.error(), "runc create failed: unable to start container process");
  attempt.connection = std::move(*connection);
  std::vector<PendingClient> clients;
  {
    std::lock_guard lock(attempt.cell->live);
    attempt.cell->shim = attempt.connection;
    clients = std::move(attempt.cell->pending);
    attempt.cell->pending.clear();
  }
  for (auto& client : clients) {
    (void)attempt.connection->attach(std::move(client.fd), client.options);  // one that left must not stop the start
  }
  return {};
}

Result<void> Core::release_process(StartAttempt& attempt) {
  attempt.released_at = now_text();
  auto started = zygote_->start(*attempt.connection);
  if (!started) {
    return runtime_error(started.error(),
                         "runc create failed: unable to start container process: error during "
                         "container init");
  }
  attempt.started = std::move(*started);
  return {};
}

Result<void> Core::finish_start(StartAttempt& attempt) {
  auto record = container::apply_started(attempt.record, attempt.started.pid, attempt.released_at);
  show_endpoints(record, attempt.endpoints);
  start_health(record);
  std::vector<Event> events;
  for (const auto& endpoint : attempt.endpoints) {
    events.push_back(network_event(endpoint.network_id, "connect", record.id));
  }
  for (auto& event : volume_events(record, "mount")) events.push_back(std::move(event));
  events.push_back(container_event(record, "start"));
  TRY(save(record, std::move(events), [&] { return save_endpoints(record.id, attempt.endpoints); }));
  attempt.cell->endpoints = std::move(attempt.endpoints);
  attempt.cell->netlink = std::move(attempt.netns.netlink);
  adopt_shim(attempt.cell, attempt.connection);
  return {};
}

void Core::undo_start(StartAttempt& attempt, const Error& error) {
  std::vector<PendingClient> clients;
  {
    std::lock_guard lock(attempt.cell->live);
    attempt.cell->shim.reset();
    clients = std::move(attempt.cell->pending);
    attempt.cell->pending.clear();
  }
  if (attempt.connection) {
    (void)attempt.connection->signal(SIGKILL);  // usually gone already
    attempt.connection.reset();
  }
  detach_networks(attempt.endpoints);
  (void)cgroup_of(attempt.record).kill_all();
  (void)cgroup_of(attempt.record).remove();
  (void)sys::remove_tree(shim_dir(attempt.record.id));
  auto record = container::apply_start_failure(attempt.record, error.message());
  auto attributes = container::ending_attributes(record);
  attributes["exitCode"] = std::to_string(record.state.exit_code);
  auto saved = save(record, {container_event(record, "die", std::move(attributes))});
  if (!saved) containers_.publish(record);  // a full disk: readers know it in any case
  waiters_.notify_exit(record.id, {record.state.exit_code, record.state.error});
  if (!record.host_config.auto_remove) return;
  workers_.post(record.id, [this, id = record.id] {
    if (auto cell = containers_.cell(id)) {
      if (auto locked = lock_cell(cell)) (void)remove_locked(*locked, true);
    }
  });
}

}  // namespace sampan::engine
