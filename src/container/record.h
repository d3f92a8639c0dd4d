#pragma once
// container/record: what is. The engine is its only writer; readers get immutable snapshots (shared_ptr<const>).

#include <boost/describe/class.hpp>

#include <memory>

#include "container/spec.h"

namespace sampan::container {

struct HealthLogEntry {
  std::string start, end;  // RFC 3339
  int64_t exit_code = 0;
  std::string output;
};
struct HealthState {
  std::string status;  // "starting", "healthy", "unhealthy"
  int64_t failing_streak = 0;
  std::vector<HealthLogEntry> log;
};
/// What Docker's own members do not tell of how the last run ended, or of what happened in the present one.
struct Ending {
  std::string cause;         // as of explain(): "exit", "signal", "oom", ...; "" while it runs and before
  std::string asked;         // "stop" or "kill": a client asked for the end
  int64_t signal = 0;        // that ended init
  int64_t memory_limit = 0;  // that was hit when memory ran out; 0: none of the container's own
  std::string step, path;    // of a start that failed: what it was doing, and to which file; path may be empty
};
struct ContainerState {
  std::string status = "created";  // created running paused restarting removing exited dead
  int64_t pid = 0;
  int64_t exit_code = 0;
  std::string error;
  bool oom_killed = false;
  std::string started_at = "0001-01-01T00:00:00Z", finished_at = "0001-01-01T00:00:00Z";
  std::optional<HealthState> health;
  Ending ending;
  int64_t restart_delay_ms = 0;  // that the last restart waited; the next one doubles it
  bool running() const { return status == "running" || status == "paused" || status == "restarting"; }
};
/// A resolved mount, as inspect shows it.
struct MountPoint {
  std::string type, name, source, destination, driver, mode;
  bool rw = true;
  std::string propagation;
  std::string subpath;  // of the volume or the image
};
struct ContainerRecord {
  std::string id, name, created;  // name without the leading slash; created RFC 3339
  std::string image_id;           // "sha256:..."
  std::string platform = "linux";
  ContainerConfig config;  // merged with the image's
  HostConfig host_config;
  std::string path;
  std::vector<std::string> args;
  ContainerState state;
  int64_t restart_count = 0;
  bool has_been_started = false, manually_stopped = false;
  uint64_t generation = 0;  // one more at each start; messages of older runs are ignored
  std::string log_path, hostname_path, hosts_path, resolv_conf_path;
  std::vector<MountPoint> mounts;
  std::map<std::string, EndpointSettings> networks;       // live values while running
  std::map<std::string, std::vector<PortBinding>> ports;  // published, resolved: "80/tcp" -> host side
};
using ContainerSnapshot = std::shared_ptr<const ContainerRecord>;

Result<ContainerRecord> parse_record(std::string_view json);
std::string format_record(const ContainerRecord& record);

BOOST_DESCRIBE_STRUCT(HealthLogEntry, (), (start, end, exit_code, output))
BOOST_DESCRIBE_STRUCT(HealthState, (), (status, failing_streak, log))
BOOST_DESCRIBE_STRUCT(Ending, (), (cause, asked, signal, memory_limit, step, path))
BOOST_DESCRIBE_STRUCT(ContainerState, (),
                      (status, pid, exit_code, error, oom_killed, started_at, finished_at, health, ending,
                       restart_delay_ms))
BOOST_DESCRIBE_STRUCT(MountPoint, (), (type, name, source, destination, driver, mode, rw, propagation, subpath))
BOOST_DESCRIBE_STRUCT(ContainerRecord, (),
                      (id, name, created, image_id, platform, config, host_config, path, args, state, restart_count,
                       has_been_started, manually_stopped, generation, log_path, hostname_path, hosts_path,
                       resolv_conf_path, mounts, networks, ports))

}  // namespace sampan::container
