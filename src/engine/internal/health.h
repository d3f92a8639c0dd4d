#pragma once
// engine/internal/health: the pure half of health checks. The shim runs them (shim/health.h).

#include <string>
#include <vector>

#include "container/record.h"
#include "shim/shim.h"

namespace sampan::engine {

/// What a check amounts to once defaults are filled in; empty argv: there is none.
struct HealthPlan {
  std::vector<std::string> argv;
  shim::HealthTiming timing;
};
HealthPlan plan_health(const container::ContainerConfig& config);

/// The state after a probe that the shim reports; five results are kept.
container::HealthState apply_probe(container::HealthState state, const shim::ShimEvent& probe);

}  // namespace sampan::engine
