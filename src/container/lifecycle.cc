#include "container/lifecycle.h"

#include <signal.h>

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace sampan::container {

namespace {

constexpr std::array kStatusNames = {"created", "running", "paused", "restarting", "removing", "exited", "dead"};

/// The whole machine. What has no row cannot happen.
struct Transition {
  Status from;
  Incident incident;
  Status to;
};
constexpr Transition kTransitions[] = {
    {Status::Created, Incident::Start, Status::Running},
    {Status::Exited, Incident::Start, Status::Running},
    {Status::Restarting, Incident::Start, Status::Running},
    {Status::Created, Incident::StartFailed, Status::Created},
    {Status::Exited, Incident::StartFailed, Status::Exited},
    {Status::Restarting, Incident::StartFailed, Status::Exited},
    {Status::Running, Incident::Exit, Status::Exited},
    {Status::Paused, Incident::Exit, Status::Exited},
    {Status::Running, Incident::ExitForRestart, Status::Restarting},
    {Status::Paused, Incident::ExitForRestart, Status::Restarting},
    {Status::Restarting, Incident::StopRestarting, Status::Exited},
    {Status::Running, Incident::Pause, Status::Paused},
    {Status::Paused, Incident::Unpause, Status::Running},
    {Status::Created, Incident::Remove, Status::Removing},
    {Status::Exited, Incident::Remove, Status::Removing},
    {Status::Dead, Incident::Remove, Status::Removing},
    {Status::Removing, Incident::Remove, Status::Removing},
    {Status::Removing, Incident::RemovalFailed, Status::Dead},

    {Status::Running, Incident::Stop, Status::Running},
    {Status::Paused, Incident::Stop, Status::Paused},
    {Status::Restarting, Incident::Stop, Status::Restarting},
    {Status::Running, Incident::Kill, Status::Running},
    {Status::Paused, Incident::Kill, Status::Paused},
    {Status::Restarting, Incident::Kill, Status::Restarting},
    {Status::Running, Incident::Exec, Status::Running},
    {Status::Running, Incident::Resize, Status::Running},
    {Status::Paused, Incident::Resize, Status::Paused},
    {Status::Created, Incident::Attach, Status::Created},
    {Status::Running, Incident::Attach, Status::Running},
    {Status::Exited, Incident::Attach, Status::Exited},
    {Status::Created, Incident::Rename, Status::Created},
    {Status::Running, Incident::Rename, Status::Running},
    {Status::Paused, Incident::Rename, Status::Paused},
    {Status::Restarting, Incident::Rename, Status::Restarting},
    {Status::Exited, Incident::Rename, Status::Exited},
    {Status::Dead, Incident::Rename, Status::Dead},
    {Status::Created, Incident::Update, Status::Created},
    {Status::Running, Incident::Update, Status::Running},
    {Status::Paused, Incident::Update, Status::Paused},
    {Status::Restarting, Incident::Update, Status::Restarting},
    {Status::Exited, Incident::Update, Status::Exited},
};

/// Docker's words for what the machine refuses. The first row that fits; one without a status fits every one.
struct Refusal {
  Incident incident;
  std::optional<Status> status;
  Code code;
  const char* words;
};
constexpr const char* kMarked = "container {id} is marked for removal";
constexpr const char* kRestarting = "container {id} is restarting, wait until the container is running";
constexpr const char* kNotRunning = "container {id} is not running";
constexpr Refusal kRefusals[] = {
    {Incident::Start, Status::Running, Code::NotModified, "container {id} is already running"},
    {Incident::Start, Status::Paused, Code::Conflict, "cannot start a paused container, try unpause instead"},
    {Incident::Start, {}, Code::Conflict, "container is marked for removal and cannot be started"},
    {Incident::Stop, {}, Code::NotModified, "container {id} is already stopped"},
    {Incident::Kill, {}, Code::Conflict, "cannot kill container: {name}: container {id} is not running"},
    {Incident::Pause, Status::Paused, Code::Conflict, "container {id} is already paused"},
    {Incident::Pause, Status::Restarting, Code::Conflict, kRestarting},
    {Incident::Unpause, {}, Code::Conflict, "container {id} is not paused"},
    {Incident::Exec, Status::Paused, Code::Conflict, "container {id} is paused, unpause the container before exec"},
    {Incident::Exec, Status::Restarting, Code::Conflict, kRestarting},
    {Incident::Attach, Status::Paused, Code::Conflict, "container {id} is paused, unpause the container before attach"},
    {Incident::Attach, Status::Restarting, Code::Conflict, kRestarting},
    {Incident::Attach, {}, Code::Conflict, kMarked},
    {Incident::Rename, {}, Code::Conflict, kMarked},
    {Incident::Update,
     {},
     Code::Conflict,
     "Cannot update container {id}: Container is marked for removal and cannot be \"update\"."},
    {Incident::Remove, Status::Paused, Code::Conflict,
     "cannot remove container \"{name}\": container is paused and must be unpaused first"},
    {Incident::Remove,
     {},
     Code::Conflict,
     "cannot remove container \"{name}\": container is {status}: stop the container before removing or force remove"},
};

Error refusal(const ContainerRecord& record, Incident incident) {
  Status status = status_of(record);
  auto fits = [&](const Refusal& row) { return row.incident == incident && row.status.value_or(status) == status; };
  auto row = std::ranges::find_if(kRefusals, fits);
  bool found = row != std::end(kRefusals);
  return Error(found ? row->code : Code::Conflict,
               fmt::format(fmt::runtime(found ? row->words : kNotRunning), fmt::arg("id", record.id),
                           fmt::arg("name", record.name), fmt::arg("status", record.state.status)));
}

bool contains(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

/// The hardware address that the network derives from an address, 02:42 and its four bytes; "" when it is none.
std::string derived_mac(const std::string& ip_address) {
  std::string out = "02:42";
  int parts = 0;
  for (const auto& piece : split(ip_address, '.')) {
    auto byte = parse_uint(piece);
    if (!byte || *byte > 255) return "";
    out += fmt::format(":{:02x}", *byte);
    ++parts;
  }
  return parts == 4 ? out : "";
}

void forget_endpoints(ContainerRecord& record) {
  for (auto& [name, endpoint] : record.networks) {
    // One that was asked for stays.
    if (endpoint.mac_address == derived_mac(endpoint.ip_address)) endpoint.mac_address.clear();
    endpoint.endpoint_id.clear();
    endpoint.gateway.clear();
    endpoint.ip_address.clear();
    endpoint.ip_prefix_len = 0;
    endpoint.ipv6_gateway.clear();
    endpoint.global_ipv6_address.clear();
    endpoint.global_ipv6_prefix_len = 0;
  }
  record.ports.clear();
}

/// The strongest reason first: what nobody saw, what was asked for, what the kernel did, what the process did.
const char* ending_cause(const ContainerRecord& record, const ExitFacts& exit) {
  if (!exit.error.empty()) return "lost";
  if (record.manually_stopped) return "stop";
  if (exit.unhealthy) return "unhealthy";
  if (record.state.oom_killed && exit.exit_code == 128 + SIGKILL) return "oom";
  return exit.signal != 0 ? "signal" : "exit";
}

}  // namespace

const char* status_name(Status status) {
  return kStatusNames[static_cast<size_t>(status)];
}

std::optional<Status> find_status(std::string_view word) {
  auto it = std::ranges::find(kStatusNames, word);
  if (it == kStatusNames.end()) return std::nullopt;
  return static_cast<Status>(it - kStatusNames.begin());
}

Status status_of(const ContainerRecord& record) {
  return find_status(record.state.status).value_or(Status::Dead);
}

std::optional<Status> next_status(Status now, Incident incident) {
  for (const auto& transition : kTransitions) {
    if (transition.from == now && transition.incident == incident) return transition.to;
  }
  return std::nullopt;
}

Result<void> can(const ContainerRecord& record, Incident incident) {
  if (next_status(status_of(record), incident)) return {};
  return refusal(record, incident);
}

Result<void> can_start(const ContainerRecord& record) {
  return can(record, Incident::Start);
}
Result<void> can_stop(const ContainerRecord& record) {
  return can(record, Incident::Stop);
}
Result<void> can_kill(const ContainerRecord& record) {
  return can(record, Incident::Kill);
}
Result<void> can_pause(const ContainerRecord& record) {
  return can(record, Incident::Pause);
}
Result<void> can_unpause(const ContainerRecord& record) {
  return can(record, Incident::Unpause);
}
Result<void> can_exec(const ContainerRecord& record) {
  return can(record, Incident::Exec);
}
Result<void> can_resize(const ContainerRecord& record) {
  return can(record, Incident::Resize);
}
Result<void> can_attach(const ContainerRecord& record) {
  return can(record, Incident::Attach);
}
Result<void> can_remove(const ContainerRecord& record, bool force) {
  if (force && can_kill(record)) return {};
  return can(record, Incident::Remove);
}

ContainerRecord apply_incident(ContainerRecord record, Incident incident) {
  if (auto next = next_status(status_of(record), incident)) record.state.status = status_name(*next);
  return record;
}

ContainerRecord begin_start(ContainerRecord record) {
  ++record.generation;
  record.manually_stopped = false;
  record.state.error.clear();
  record.state.oom_killed = false;
  record.state.health.reset();
  record.state.ending = {};
  return record;
}

ContainerRecord apply_started(ContainerRecord record, int64_t pid, std::string started_at) {
  record = apply_incident(std::move(record), Incident::Start);
  record.state.pid = pid;
  record.state.exit_code = 0;
  record.state.started_at = std::move(started_at);
  record.has_been_started = true;
  return record;
}

ContainerRecord apply_start_failure(ContainerRecord record, const std::string& error, std::string step,
                                    std::string path) {
  record = apply_incident(std::move(record), Incident::StartFailed);
  record.state.pid = 0;
  record.state.exit_code = start_failure_code(error);
  record.state.error = error;
  record.state.ending.cause = "start";
  record.state.ending.step = std::move(step);
  record.state.ending.path = std::move(path);
  forget_endpoints(record);
  return record;
}

ContainerRecord apply_oom(ContainerRecord record, int64_t memory_limit) {
  record.state.oom_killed = true;
  record.state.ending.memory_limit = memory_limit;
  return record;
}

ContainerRecord apply_exit(ContainerRecord record, const ExitFacts& exit, bool restarting) {
  record = apply_incident(std::move(record), restarting ? Incident::ExitForRestart : Incident::Exit);
  record.state.pid = 0;
  record.state.exit_code = exit.exit_code;
  record.state.oom_killed = record.state.oom_killed || exit.oom_killed;
  record.state.error = exit.error;
  record.state.ending.signal = exit.signal;
  record.state.ending.cause = ending_cause(record, exit);
  record.state.finished_at = exit.finished_at;
  if (restarting) ++record.restart_count;
  if (record.state.health) record.state.health->status = "unhealthy";
  forget_endpoints(record);
  return record;
}

ContainerRecord apply_restart(ContainerRecord record, const ExitFacts& exit, int64_t pid, std::string started_at) {
  auto networks = record.networks;
  auto ports = record.ports;
  auto generation = record.generation;
  record = begin_start(apply_exit(std::move(record), exit, true));
  record.generation = generation;
  record.networks = std::move(networks);
  record.ports = std::move(ports);
  return apply_started(std::move(record), pid, std::move(started_at));
}

int start_failure_code(std::string_view error) {
  if (contains(error, "executable file not found") || contains(error, "no such file or directory") ||
      contains(error, "No such file or directory")) {
    return 127;
  }
  if (contains(error, "permission denied") || contains(error, "Permission denied") ||
      contains(error, "is a directory") || contains(error, "not a directory") || contains(error, "exec format error")) {
    return 126;
  }
  return 128;
}

bool restarts_unhealthy(const ContainerRecord& record) {
  constexpr const char* kName = "sampan.restart-unhealthy";
  for (const auto* words : {&record.host_config.annotations, &record.config.labels}) {
    if (auto found = words->find(kName); found != words->end()) return found->second == "true";
  }
  return false;
}

RestartPlan plan_restart(const ContainerRecord& record, const ExitFacts& exit, std::chrono::milliseconds ran,
                         std::chrono::milliseconds previous) {
  if (record.manually_stopped) return {};
  return shim::plan_restart(restart_rule(record), exit.exit_code != 0, exit.unhealthy, ran, previous);
}

shim::RestartRule restart_rule(const ContainerRecord& record) {
  using When = shim::RestartRule::When;
  const auto& policy = record.host_config.restart_policy;
  auto when = When::Never;
  if (policy.name == "always" || policy.name == "unless-stopped") when = When::Always;
  if (policy.name == "on-failure") when = When::OnFailure;
  return {when, policy.maximum_retry_count, record.restart_count,
          std::chrono::milliseconds(record.state.restart_delay_ms)};
}

bool restarts_with_daemon(const ContainerRecord& record) {
  auto status = status_of(record);
  if (status == Status::Restarting) return true;
  if (status != Status::Exited || !record.has_been_started) return false;
  if (record.host_config.restart_policy.name == "always") return true;
  if (record.manually_stopped) return false;
  return shim::plan_restart(restart_rule(record), record.state.exit_code != 0, false, {}, {}).restart;
}

Result<void> validate_restart_policy(const RestartPolicy& policy, bool auto_remove) {
  bool none = policy.name.empty() || policy.name == "no";
  if (!none && policy.name != "always" && policy.name != "unless-stopped" && policy.name != "on-failure") {
    return fail(Code::InvalidArgument,
                "invalid restart policy: unknown policy '{}'; use one of 'no', 'always', 'on-failure', or "
                "'unless-stopped'",
                policy.name);
  }
  if (policy.maximum_retry_count < 0) {
    return fail(Code::InvalidArgument, "invalid restart policy: maximum retry count cannot be negative");
  }
  if (policy.maximum_retry_count != 0 && policy.name != "on-failure") {
    return fail(Code::InvalidArgument,
                "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (!none && auto_remove) {
    return fail(Code::InvalidArgument, "can't create 'AutoRemove' container with restart policy");
  }
  return {};
}

}  // namespace sampan::container
