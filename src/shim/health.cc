#include "shim/health.h"

namespace sampan::shim {

Health next_health(Health before, const HealthTiming& timing, bool good, bool in_start_period) {
  if (good) return {"healthy", 0};
  if (before.status == "starting" && in_start_period) return before;
  if (++before.failing_streak >= timing.retries) before.status = "unhealthy";
  return before;
}

std::chrono::nanoseconds probe_delay(const Health& health, const HealthTiming& timing, bool in_start_period) {
  return health.status == "starting" && in_start_period ? timing.start_interval : timing.interval;
}

}  // namespace sampan::shim
