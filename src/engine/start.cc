// Starting a container: a list of steps. The new generation is written before the first, the running state after the
// last; a failure takes back what the steps made and keeps the error in the record.

#include <fcntl.h>
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
  record.restart_count = record.state.restart_delay_ms = 0;
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
  struct Step {
    const char* name;
    Result<void> (Core::*run)(StartAttempt&);
    const char* context;  // what the client reads before the reason
  };
  static constexpr Step kSteps[] = {
      {"prepare mounts", &Core::prepare_mounts, nullptr},
      {"join networks", &Core::join_networks, "failed to set up container networking"},
      {"write hosts and resolv.conf", &Core::write_files, nullptr},
      {"plan the process", &Core::plan_process, nullptr},
      {"create the container", &Core::create_process, nullptr},
      {"run the program", &Core::release_process, nullptr},
  };
  for (const auto& step : kSteps) {
    auto done = (this->*step.run)(attempt);
    if (done) continue;
    // The steps that ask the runtime know better than their error, which is worded for Docker's clients.
    if (attempt.failed.step.empty()) attempt.failed = container::failed_step(done.error(), step.name);
    if (!step.context) return done;
    return std::move(done).error().context(step.context);
  }
  return {};
}

Result<void> Core::prepare_mounts(StartAttempt& attempt) {
  attempt.mounts = TRY(resolve_mounts(attempt.record));
  return {};
}

/// The running container that "container:x" means; the refusals are Docker's for each kind of namespace.
Result<ContainerSnapshot> Core::namespace_owner(const std::string& mode, std::string_view kind) {
  auto found = TRY(containers_.get(mode.substr(mode.find(':') + 1)));
  const auto& owner = *found.record;
  bool runs = owner.state.pid != 0 && owner.state.running();
  if (!runs && kind == "network") {
    return fail(Code::Conflict, "cannot join network of a non running container: {}", owner.id);
  }
  std::string refused = fmt::format("can't join {} of container {}", kind == "pid" ? "PID namespace" : "IPC", owner.id);
  if (!runs) TRY_CONTEXT(container::can_exec(owner), refused);
  bool shareable = owner.host_config.ipc_mode == "shareable" || owner.host_config.ipc_mode.starts_with("container:");
  if (kind == "ipc" && !shareable)
    return fail(Code::InvalidArgument, "{}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
                refused);
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
    auto owner = TRY(namespace_owner(mode, type));
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
  TRY(add_requested_devices(record, attempt.request.spec));
  if (auto& process = attempt.request.spec.process) add_link_variables(record, process->env);
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

Result<void> Core::plan_request(StartAttempt& attempt) {
  const ContainerRecord& record = attempt.record;
  auto& request = attempt.request;
  request.id = record.id;
  request.generation = record.generation;
  request.dir = shim_dir(record.id);
  request.rootfs = TRY(snapshots_->mount(SnapshotKey(record.id)));
  request.rootfs.uid_mappings = attempt.facts.user_mappings.uids;
  request.rootfs.gid_mappings = attempt.facts.user_mappings.gids;
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
  return {};
}

Result<void> Core::create_process(StartAttempt& attempt) {
  TRY(plan_request(attempt));
  auto& request = attempt.request;
  request.restore_images = attempt.restore_images;
  if (!attempt.restore_images.empty()) request.restore_work = container_dir(attempt.record.id) + "/criu";
  (void)sys::remove_tree(request.dir);  // of an earlier run whose exit is in the record already
  auto connection = zygote_->create(std::move(request));
  if (!connection) attempt.failed = container::failed_step(connection.error(), "create the container");
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
    attempt.failed = container::failed_step(started.error(), "run the program");
    return runtime_error(started.error(),
                         "runc create failed: unable to start container process: error during "
                         "container init");
  }
  attempt.started = std::move(*started);
  return {};
}

/// The running container's shim may start it again by itself: from what the record says now.
Result<void> Core::renew_shim(const CellPtr& cell, const ContainerRecord& record) {
  auto connection = cell->connection();
  if (!connection) return {};  // its exit is under way
  StartAttempt attempt;
  attempt.cell = cell;
  attempt.record = record;
  const std::string& mode = record.host_config.network_mode;
  if (mode != "host" && !mode.starts_with("container:"))
    attempt.netns.ns =
        TRY(sys::open_file(fmt::format("/proc/{}/ns/net", record.state.pid), O_RDONLY)).as<sys::NsFdTag>();
  TRY(prepare_mounts(attempt));
  TRY(join_user_namespace(attempt));
  TRY(plan_process(attempt));
  TRY(plan_request(attempt));
  auto told = connection->update(attempt.request);
  // A shim that has just ended restarts nothing.
  bool gone = !told && (told.error().code() == Code::Unavailable || told.error().code() == Code::Conflict);
  return gone ? Result<void>() : told;
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
  renew_hosts_of_linked(record);
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
  auto record =
      container::apply_start_failure(attempt.record, error.message(), attempt.failed.step, attempt.failed.path);
  auto attributes = container::ending_attributes(record);
  attributes["exitCode"] = std::to_string(record.state.exit_code);
  (void)save_what_happened(record, {container_event(record, "die", std::move(attributes))});
  waiters_.notify_exit(record.id, {record.state.exit_code, record.state.error});
  if (!record.host_config.auto_remove) return;
  workers_.post(record.id, [this, id = record.id] {
    if (auto cell = containers_.cell(id)) {
      if (auto locked = lock_cell(cell)) (void)remove_locked(*locked, true);
    }
  });
}

}  // namespace sampan::engine
