#include "engine/internal/health.h"

namespace sampan::engine {

namespace {
constexpr size_t kResultsKept = 5;
using std::chrono::nanoseconds;

nanoseconds or_default(int64_t value, std::chrono::seconds otherwise) {
  return value > 0 ? nanoseconds(value) : nanoseconds(otherwise);
}
}  // namespace

HealthPlan plan_health(const container::ContainerConfig& config) {
  using namespace std::chrono_literals;
  HealthPlan plan;
  if (!config.healthcheck || config.healthcheck->test.empty()) return plan;
  const auto& check = *config.healthcheck;
  const std::string& kind = check.test.front();
  if (kind == "NONE") return plan;
  if (kind == "CMD-SHELL") {
    plan.argv = config.shell && !config.shell->empty() ? *config.shell : std::vector<std::string>{"/bin/sh", "-c"};
    if (check.test.size() > 1) plan.argv.push_back(check.test[1]);
  } else {
    plan.argv.assign(check.test.begin() + (kind == "CMD" ? 1 : 0), check.test.end());
  }
  plan.timing.interval = or_default(check.interval, 30s);
  plan.timing.timeout = or_default(check.timeout, 30s);
  plan.timing.start_period = nanoseconds(check.start_period);
  plan.timing.start_interval = or_default(check.start_interval, 5s);
  plan.timing.retries = check.retries > 0 ? check.retries : 3;
  return plan;
}

container::HealthState apply_probe(container::HealthState state, const shim::ShimEvent& probe) {
  state.log.push_back({probe.started_at, probe.time, probe.exit_code, probe.output});
  if (state.log.size() > kResultsKept) state.log.erase(state.log.begin());
  state.status = probe.health.status;
  state.failing_streak = probe.health.failing_streak;
  return state;
}

}  // namespace sampan::engine
