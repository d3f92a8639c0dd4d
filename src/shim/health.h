#pragma once
// shim/health: when a container is probed, and what a probe's end makes of its health. Pure.
//
// The shim probes, not the daemon: health goes on while there is none.

#include <chrono>
#include <cstdint>
#include <string>

namespace sampan::shim {

struct HealthTiming {
  std::chrono::nanoseconds interval{0}, timeout{0}, start_period{0}, start_interval{0};
  int64_t retries = 3;
};

struct Health {
  std::string status = "starting";  // "healthy", "unhealthy"
  int64_t failing_streak = 0;
};

/// A failure inside the start period does not count while the container is starting.
Health next_health(Health before, const HealthTiming& timing, bool good, bool in_start_period);
/// Until the next probe.
std::chrono::nanoseconds probe_delay(const Health& health, const HealthTiming& timing, bool in_start_period);

}  // namespace sampan::shim
