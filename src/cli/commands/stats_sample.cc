#include "cli/commands/stats_sample.h"

#include "base/strings.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

double cpu_percent(const json::value& sample) {
  auto total = [&](const char* set) {
    return static_cast<double>(number_at(sample, std::string(set) + ".cpu_usage.total_usage"));
  };
  double used = total("cpu_stats") - total("precpu_stats");
  double passed = static_cast<double>(number_at(sample, "cpu_stats.system_cpu_usage")) -
                  static_cast<double>(number_at(sample, "precpu_stats.system_cpu_usage"));
  double cpus = static_cast<double>(number_at(sample, "cpu_stats.online_cpus"));
  if (cpus == 0) cpus = static_cast<double>(list_at(sample, "cpu_stats.cpu_usage.percpu_usage").size());
  return used > 0 && passed > 0 ? used / passed * cpus * 100 : 0;
}

// The page cache that can be dropped does not count: its name differs between cgroup versions.
double memory_used(const json::value& sample) {
  int64_t usage = number_at(sample, "memory_stats.usage");
  for (const char* name : {"memory_stats.stats.total_inactive_file", "memory_stats.stats.inactive_file"}) {
    if (!member_at(sample, name).is_number()) continue;
    int64_t cache = number_at(sample, name);
    return static_cast<double>(cache < usage ? usage - cache : usage);
  }
  return static_cast<double>(usage);
}

std::string network_text(const json::value& sample) {
  double received = 0, sent = 0;
  for (const auto& item : object_at(sample, "networks")) {
    received += static_cast<double>(number_at(item.value(), "rx_bytes"));
    sent += static_cast<double>(number_at(item.value(), "tx_bytes"));
  }
  return human_size(received, 3) + " / " + human_size(sent, 3);
}

std::string block_text(const json::value& sample) {
  double read = 0, written = 0;
  for (const auto& item : list_at(sample, "blkio_stats.io_service_bytes_recursive")) {
    std::string op = to_lower(text_at(item, "op"));
    if (op == "read") read += static_cast<double>(number_at(item, "value"));
    if (op == "write") written += static_cast<double>(number_at(item, "value"));
  }
  return human_size(read, 3) + " / " + human_size(written, 3);
}

}  // namespace

json::value stats_row(const json::value& sample, const std::string& container, bool full_id) {
  bool known = member_at(sample, "cpu_stats").is_object() && member_at(sample, "read").is_string();
  std::string id = text_at(sample, "id"), name = text_at(sample, "name");
  if (name.starts_with('/')) name.erase(0, 1);
  if (id.empty()) id = container;
  double used = memory_used(sample), limit = static_cast<double>(number_at(sample, "memory_stats.limit"));
  return json::object{
      {"BlockIO", known ? block_text(sample) : "--"},
      {"CPUPerc", known ? fmt::format("{:.2f}%", cpu_percent(sample)) : "--"},
      {"Container", container},
      {"ID", full_id ? id : short_id(id)},
      {"MemPerc", known ? fmt::format("{:.2f}%", limit > 0 ? used / limit * 100 : 0) : "--"},
      {"MemUsage", known ? human_bytes(used) + " / " + human_bytes(limit) : "-- / --"},
      {"Name", name.empty() ? "--" : name},
      {"NetIO", known ? network_text(sample) : "--"},
      {"PIDs", known ? std::to_string(number_at(sample, "pids_stats.current")) : "--"},
  };
}

}  // namespace sampan::cli
