#include "shim/health.h"

#include <gtest/gtest.h>

namespace sampan::shim {
namespace {

using namespace std::chrono_literals;

TEST(ShimHealth, failures_count_after_the_start_period_only) {
  HealthTiming timing{.interval = 30s, .timeout = 1s, .start_period = 10s, .start_interval = 1s, .retries = 2};
  Health health;
  health = next_health(health, timing, false, true);
  EXPECT_EQ(health.failing_streak, 0);
  EXPECT_EQ(probe_delay(health, timing, true), 1s);
  health = next_health(health, timing, false, false);
  EXPECT_EQ(health.status, "starting");
  health = next_health(health, timing, false, false);
  EXPECT_EQ(health.status, "unhealthy");
  EXPECT_EQ(probe_delay(health, timing, true), 30s);
}

TEST(ShimHealth, one_success_is_healthy_and_ends_the_start_period) {
  HealthTiming timing{.interval = 30s, .start_interval = 1s, .retries = 1};
  auto health = next_health({"unhealthy", 7}, timing, true, false);
  EXPECT_EQ(health.status, "healthy");
  EXPECT_EQ(health.failing_streak, 0);
  EXPECT_EQ(probe_delay(health, timing, true), 30s);
  EXPECT_EQ(next_health(health, timing, false, true).status, "unhealthy");
}

}  // namespace
}  // namespace sampan::shim
