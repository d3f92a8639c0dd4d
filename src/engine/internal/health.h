#pragma once
// engine/internal/health: the pure half of health checks.

#include <chrono>
#include <string>
#include <vector>

#include "container/record.h"

namespace sampan::engine {

/// What a check amounts to once defaults are filled in; empty argv: there is none.
struct HealthPlan {
  std::vector<std::string> argv;
  std::chrono::nanoseconds interval{0}, timeout{0}, start_period{0}, start_interval{0};
  int64_t retries = 0;
};
/// Begins the exec ids of probes.
inline constexpr const char* kProbePrefix = "probe-";

HealthPlan plan_health(const container::ContainerConfig& config);

struct ProbeResult {
  std::string start, end;
  int64_t exit_code = 0;  // -1: it ran out of time
  std::string output;
};
/// The state after a probe. A failure inside the start period does not count; five results are kept.
container::HealthState apply_probe(container::HealthState state, const HealthPlan& plan, const ProbeResult& probe,
                                   bool in_start_period);
/// Until the next probe.
std::chrono::nanoseconds probe_delay(const container::HealthState& state, const HealthPlan& plan, bool in_start_period);

}  // namespace sampan::engine
