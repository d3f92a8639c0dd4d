#include "api/internal/json_stats.h"

#include <gtest/gtest.h>

namespace sampan::api {
namespace {

engine::StatsSample busy(bool unified) {
  engine::StatsSample out;
  out.unified = unified;
  out.cgroup.memory_max_usage = 7;
  out.cgroup.io_service_bytes = {{8, 0, "Read", 1}, {8, 0, "Write", 2}, {8, 0, "Discard", 3}};
  out.cgroup.io_serviced = {{8, 0, "Read", 4}};
  return out;
}

// As Debian's dockerd answers on hosts of version 2 alone.
TEST(Stats, on_version_2_only_bytes_read_and_written_are_told_of_devices) {
  auto stats = format_stats({}, busy(true), nullptr);
  const auto& blkio = stats["blkio_stats"].as_object();
  const auto& bytes = blkio.at("io_service_bytes_recursive").as_array();
  ASSERT_EQ(bytes.size(), 2u);
  EXPECT_EQ(bytes[0].at("op"), "read");
  EXPECT_EQ(bytes[1].at("op"), "write");
  EXPECT_EQ(bytes[1].at("value").to_number<uint64_t>(), 2u);
  for (const auto& item : blkio) {
    if (item.key() != "io_service_bytes_recursive") EXPECT_TRUE(item.value().is_null()) << item.key();
  }
}

TEST(Stats, on_version_2_no_limit_of_processes_is_the_largest_number_and_no_peak_is_told) {
  auto sample = busy(true);
  auto stats = format_stats({}, sample, nullptr);
  EXPECT_EQ(stats["pids_stats"].at("limit").to_number<uint64_t>(), 18446744073709551615u);
  EXPECT_FALSE(stats["memory_stats"].as_object().contains("max_usage"));
  sample.cgroup.pids_limit = 33;
  EXPECT_EQ(format_stats({}, sample, nullptr)["pids_stats"].at("limit").to_number<uint64_t>(), 33u);
}

TEST(Stats, without_device_traffic_version_2_has_no_lists_at_all) {
  engine::StatsSample idle;
  idle.unified = true;
  EXPECT_TRUE(format_stats({}, idle, nullptr)["blkio_stats"].at("io_service_bytes_recursive").is_null());
}

TEST(Stats, on_version_1_every_list_is_there) {
  auto stats = format_stats({}, busy(false), nullptr);
  EXPECT_EQ(stats["blkio_stats"].at("io_service_bytes_recursive").as_array().size(), 3u);
  EXPECT_EQ(stats["blkio_stats"].at("io_serviced_recursive").as_array()[0].at("op"), "Read");
  EXPECT_TRUE(stats["blkio_stats"].at("sectors_recursive").is_array());
  EXPECT_FALSE(stats["pids_stats"].as_object().contains("limit"));
  EXPECT_TRUE(stats["memory_stats"].as_object().contains("max_usage"));
}

}  // namespace
}  // namespace sampan::api
