#include "api/internal/json_stats.h"

#include <limits>

#include "codec/text.h"

namespace sampan::api {
namespace {

using engine::StatsSample;

json::object cpu_stats(const StatsSample& sample) {
  const auto& cg = sample.cgroup;
  json::object usage{
      {"total_usage", cg.cpu_total}, {"usage_in_kernelmode", cg.cpu_system}, {"usage_in_usermode", cg.cpu_user}};
  if (!cg.cpu_percpu.empty()) usage["percpu_usage"] = codec::write_json(cg.cpu_percpu);
  return {{"cpu_usage", std::move(usage)},
          {"system_cpu_usage", sample.system_cpu},
          {"online_cpus", sample.online_cpus},
          {"throttling_data", json::object{{"periods", cg.throttle_periods},
                                           {"throttled_periods", cg.throttled_periods},
                                           {"throttled_time", cg.throttled_time}}}};
}

json::object empty_cpu_stats() {
  return {{"cpu_usage", json::object{{"total_usage", 0}, {"usage_in_kernelmode", 0}, {"usage_in_usermode", 0}}},
          {"throttling_data", json::object{{"periods", 0}, {"throttled_periods", 0}, {"throttled_time", 0}}}};
}

json::array blkio_list(const std::vector<cgroup::BlkioEntry>& entries) {
  json::array out;
  for (const auto& entry : entries) {
    out.push_back(json::object{
        {"major", entry.major}, {"minor", entry.minor}, {"op", json::string(entry.op)}, {"value", entry.value}});
  }
  return out;
}

json::object empty_blkio_stats() {
  json::object out;
  for (const char* name :
       {"io_service_bytes_recursive", "io_serviced_recursive", "io_queue_recursive", "io_service_time_recursive",
        "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive", "sectors_recursive"}) {
    out[name] = nullptr;
  }
  return out;
}

/// Docker tells the bytes that were read and written, in small letters, and nothing else of version 2.
json::object unified_blkio_stats(const cgroup::Stats& stats) {
  json::object out = empty_blkio_stats();
  json::array bytes;
  for (const auto& entry : stats.io_service_bytes) {
    if (entry.op != "Read" && entry.op != "Write") continue;
    bytes.push_back(json::object{{"major", entry.major},
                                 {"minor", entry.minor},
                                 {"op", entry.op == "Read" ? "read" : "write"},
                                 {"value", entry.value}});
  }
  if (!bytes.empty()) out["io_service_bytes_recursive"] = std::move(bytes);
  return out;
}

json::object blkio_stats(const StatsSample& sample) {
  const cgroup::Stats& stats = sample.cgroup;
  if (sample.unified) return unified_blkio_stats(stats);
  json::object out{{"io_service_bytes_recursive", blkio_list(stats.io_service_bytes)},
                   {"io_serviced_recursive", blkio_list(stats.io_serviced)}};
  for (const char* name : {"io_queue_recursive", "io_service_time_recursive", "io_wait_time_recursive",
                           "io_merged_recursive", "io_time_recursive", "sectors_recursive"}) {
    out[name] = json::array();
  }
  return out;
}

json::object memory_stats(const StatsSample& sample) {
  const auto& cg = sample.cgroup;
  uint64_t limit = sample.memory_limit;
  if (cg.memory_limit > 0 && (limit == 0 || cg.memory_limit < limit)) limit = cg.memory_limit;
  json::object out{{"usage", cg.memory_usage}, {"stats", codec::write_json(cg.memory_stat)}, {"limit", limit}};
  if (cg.memory_max_usage > 0 && !sample.unified) out["max_usage"] = cg.memory_max_usage;
  if (cg.memory_failcnt > 0) out["failcnt"] = cg.memory_failcnt;
  return out;
}

json::object networks(const StatsSample& sample) {
  json::object out;
  for (const auto& [name, n] : sample.networks) {
    out[name] = json::object{{"rx_bytes", n.rx_bytes},     {"rx_packets", n.rx_packets}, {"rx_errors", n.rx_errors},
                             {"rx_dropped", n.rx_dropped}, {"tx_bytes", n.tx_bytes},     {"tx_packets", n.tx_packets},
                             {"tx_errors", n.tx_errors},   {"tx_dropped", n.tx_dropped}};
  }
  return out;
}

constexpr const char* kNoTime = "0001-01-01T00:00:00Z";

}  // namespace

json::object format_stats(const container::ContainerRecord& record, const StatsSample& sample,
                          const StatsSample* previous) {
  json::object out;
  out["name"] = "/" + record.name;
  out["id"] = record.id;
  out["read"] = codec::format_rfc3339(sample.read);
  out["preread"] = previous ? codec::format_rfc3339(previous->read) : kNoTime;
  json::object pids{{"current", sample.cgroup.pids_current}};
  if (sample.cgroup.pids_limit > 0)
    pids["limit"] = sample.cgroup.pids_limit;
  else if (sample.unified)
    pids["limit"] = std::numeric_limits<uint64_t>::max();  // "max", as Docker reads it there
  out["pids_stats"] = std::move(pids);
  out["blkio_stats"] = blkio_stats(sample);
  out["num_procs"] = 0;
  out["storage_stats"] = json::object();
  out["cpu_stats"] = cpu_stats(sample);
  out["precpu_stats"] = previous ? cpu_stats(*previous) : empty_cpu_stats();
  out["memory_stats"] = memory_stats(sample);
  if (!sample.networks.empty()) out["networks"] = networks(sample);
  return out;
}

json::object format_stats_stub(const container::ContainerRecord& record) {
  json::object out;
  out["name"] = "/" + record.name;
  out["id"] = record.id;
  out["read"] = kNoTime;
  out["preread"] = kNoTime;
  out["pids_stats"] = json::object();
  out["blkio_stats"] = empty_blkio_stats();
  out["num_procs"] = 0;
  out["storage_stats"] = json::object();
  out["cpu_stats"] = empty_cpu_stats();
  out["precpu_stats"] = empty_cpu_stats();
  out["memory_stats"] = json::object();
  return out;
}

}  // namespace sampan::api
