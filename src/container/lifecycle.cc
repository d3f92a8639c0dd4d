#include "container/lifecycle.h"

#include <signal.h>

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace sampan::container {

namespace {

constexpr std::array kStatusNames = {"created", "running", "paused", "restarting", "removing", "exited", "dead"};

struct Transition {
  Status from;
  Incident incident;
  Status to;
};
constexpr Transition kTransitions[] = {
    {Status::Created, Incident::Start, Status::Running},
    {Status::Exited, Incident::Start, Status::Running},
    {Status::Restarting, Incident::Start, Status::Running},
    {Status::Running, Incident::Exit, Status::Exited},
    {Status::Paused, Incident::Exit, Status::Exited},
    {Status::Running, Incident::ExitForRestart, Status::Restarting},
    {Status::Paused, Incident::ExitForRestart, Status::Restarting},
    {Status::Running, Incident::Pause, Status::Paused},
    {Status::Paused, Incident::Unpause, Status::Running},
    {Status::Restarting, Incident::StopRestarting, Status::Exited},
    {Status::Created, Incident::Remove, Status::Removing},
    {Status::Exited, Incident::Remove, Status::Removing},
    {Status::Dead, Incident::Remove, Status::Removing},
    {Status::Removing, Incident::Remove, Status::Removing},
    {Status::Removing, Incident::RemovalFailed, Status::Dead},
};

Error not_running(const ContainerRecord& record) {
  return fail(Code::Conflict, "container {} is not running", record.id);
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

Result<void> can_start(const ContainerRecord& record) {
  switch (status_of(record)) {
    case Status::Running:
      return fail(Code::NotModified, "container {} is already running", record.id);
    case Status::Paused:
      return fail(Code::Conflict, "cannot start a paused container, try unpause instead");
    case Status::Removing:
    case Status::Dead:
      return fail(Code::Conflict, "container is marked for removal and cannot be started");
    default:
      return {};
  }
}

Result<void> can_stop(const ContainerRecord& record) {
  if (!record.state.running()) return fail(Code::NotModified, "container {} is already stopped", record.id);
  return {};
}

Result<void> can_kill(const ContainerRecord& record) {
  if (!record.state.running()) {
    return fail(Code::Conflict, "cannot kill container: {}: container {} is not running", record.name, record.id);
  }
  return {};
}

Result<void> can_pause(const ContainerRecord& record) {
  switch (status_of(record)) {
    case Status::Running:
      return {};
    case Status::Paused:
      return fail(Code::Conflict, "container {} is already paused", record.id);
    case Status::Restarting:
      return fail(Code::Conflict, "container {} is restarting, wait until the container is running", record.id);
    default:
      return not_running(record);
  }
}

Result<void> can_unpause(const ContainerRecord& record) {
  if (status_of(record) != Status::Paused) return fail(Code::Conflict, "container {} is not paused", record.id);
  return {};
}

Result<void> can_exec(const ContainerRecord& record) {
  switch (status_of(record)) {
    case Status::Running:
      return {};
    case Status::Paused:
      return fail(Code::Conflict, "container {} is paused, unpause the container before exec", record.id);
    case Status::Restarting:
      return fail(Code::Conflict, "container {} is restarting, wait until the container is running", record.id);
    default:
      return not_running(record);
  }
}

Result<void> can_resize(const ContainerRecord& record) {
  auto status = status_of(record);
  if (status == Status::Running || status == Status::Paused) return {};
  return not_running(record);
}

Result<void> can_attach(const ContainerRecord& record) {
  switch (status_of(record)) {
    case Status::Paused:
      return fail(Code::Conflict, "container {} is paused, unpause the container before attach", record.id);
    case Status::Restarting:
      return fail(Code::Conflict, "container {} is restarting, wait until the container is running", record.id);
    case Status::Removing:
    case Status::Dead:
      return fail(Code::Conflict, "container {} is marked for removal", record.id);
    default:
      return {};
  }
}

Result<void> can_remove(const ContainerRecord& record, bool force) {
  if (force || !record.state.running()) return {};
  if (status_of(record) == Status::Paused) {
    return fail(Code::Conflict, "cannot remove container \"{}\": container is paused and must be unpaused first",
                record.name);
  }
  return fail(Code::Conflict,
              "cannot remove container \"{}\": container is {}: stop the container before removing or force remove",
              record.name, record.state.status);
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
  record.state.status = status_name(Status::Running);
  record.state.pid = pid;
  record.state.exit_code = 0;
  record.state.started_at = std::move(started_at);
  record.has_been_started = true;
  return record;
}

ContainerRecord apply_start_failure(ContainerRecord record, const std::string& error) {
  if (status_of(record) == Status::Restarting) record.state.status = status_name(Status::Exited);
  record.state.pid = 0;
  record.state.exit_code = start_failure_code(error);
  record.state.error = error;
  record.state.ending.cause = "start";
  forget_endpoints(record);
  return record;
}

ContainerRecord apply_oom(ContainerRecord record, int64_t memory_limit) {
  record.state.oom_killed = true;
  record.state.ending.memory_limit = memory_limit;
  return record;
}

ContainerRecord apply_exit(ContainerRecord record, const ExitFacts& exit, bool restarting) {
  record.state.status = status_name(restarting ? Status::Restarting : Status::Exited);
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

ContainerRecord apply_status(ContainerRecord record, Status status) {
  record.state.status = status_name(status);
  return record;
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
  return {when, policy.maximum_retry_count, record.restart_count};
}

bool restarts_with_daemon(const ContainerRecord& record) {
  auto status = status_of(record);
  if (status == Status::Restarting) return true;
  if (status != Status::Exited || !record.has_been_started) return false;
  const auto& policy = record.host_config.restart_policy;
  if (policy.name == "always") return true;
  if (policy.name == "unless-stopped") return !record.manually_stopped;
  if (policy.name != "on-failure" || record.manually_stopped || record.state.exit_code == 0) return false;
  return policy.maximum_retry_count == 0 || record.restart_count < policy.maximum_retry_count;
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
