#include "bin/runtime/stats_event.h"

#include <algorithm>

#include "base/strings.h"
#include "sys/file.h"

namespace sampan::bin {
namespace {

namespace json = codec::json;

/// Files of one controller of the container.
struct Files {
  std::string dir;
  bool v2 = false;

  std::string text(const std::string& name) const {
    auto content = sys::read_file(dir + "/" + name, 1 << 20);
    return content ? std::string(trim(*content)) : std::string();
  }
  bool has(const std::string& name) const { return sys::path_exists(dir + "/" + name); }
  /// "max" is the largest number.
  uint64_t number(const std::string& name) const {
    std::string value = text(name);
    return value == "max" ? UINT64_MAX : parse_uint(value).value_or(0);
  }
};

Files files_of(const cgroup::HostCgroups& host, const cgroup::Cgroup& cgroups, const std::string& controller) {
  auto v1 = host.v1_roots.find(controller);
  if (v1 != host.v1_roots.end()) return {cgroups.dir_in(v1->second), false};
  return {cgroups.dir_in(host.v2_root), true};
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (auto& word : split(text, ' '))
    if (!word.empty()) out.push_back(std::move(word));
  return out;
}

/// Values that are zero are left out, as the reference leaves them out.
void put(json::object& out, const char* name, uint64_t value) {
  if (value != 0) out[name] = value;
}

/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same for "full".
void put_pressure(json::object& out, const Files& files, const char* name) {
  json::object pressure;
  for (const auto& line : split(files.text(name), '\n')) {
    auto parts = words(line);
    if (parts.size() < 2) continue;
    json::object values;
    for (size_t i = 1; i < parts.size(); ++i) {
      auto pair = split_once(parts[i], '=');
      if (!pair) continue;
      if (pair->first == "total")
        values[pair->first] = parse_uint(pair->second).value_or(0);
      else
        values[pair->first] = ::strtod(std::string(pair->second).c_str(), nullptr);
    }
    pressure[parts[0]] = std::move(values);
  }
  if (!pressure.empty()) out["psi"] = std::move(pressure);
}

json::object cpu(const cgroup::Stats& stats, const Files& accounting, const Files& files) {
  json::object usage = {{"total", stats.cpu_total}};
  if (!stats.cpu_percpu.empty()) usage["percpu"] = codec::write_json(stats.cpu_percpu);
  json::array kernel, user;
  for (const auto& line : split(accounting.text("cpuacct.usage_all"), '\n')) {
    auto parts = words(line);  // after a line of headings: number, user, system
    if (parts.size() != 3 || !parse_uint(parts[0])) continue;
    user.emplace_back(parse_uint(parts[1]).value_or(0));
    kernel.emplace_back(parse_uint(parts[2]).value_or(0));
  }
  if (!kernel.empty()) usage["percpu_kernel"] = std::move(kernel);
  if (!user.empty()) usage["percpu_user"] = std::move(user);
  usage["kernel"] = stats.cpu_system;
  usage["user"] = stats.cpu_user;
  json::object throttling;
  put(throttling, "periods", stats.throttle_periods);
  put(throttling, "throttledPeriods", stats.throttled_periods);
  put(throttling, "throttledTime", stats.throttled_time);
  json::object out = {{"usage", std::move(usage)}, {"throttling", std::move(throttling)}};
  if (files.v2) put_pressure(out, files, "cpu.pressure");
  return out;
}

/// "0-2,5" as a list.
json::array number_list(std::string_view text) {
  json::array out;
  for (const auto& part : split(text, ',')) {
    auto range = split_once(part, '-');
    auto first = parse_uint(range ? range->first : part), last = range ? parse_uint(range->second) : first;
    if (!first || !last || *last - *first > 65536) continue;
    for (uint64_t number = *first; number <= *last; ++number) out.emplace_back(number);
  }
  return out;
}

json::object cpuset(const Files& files) {
  if (files.v2) return {};
  json::object out = {{"cpus", number_list(files.text("cpuset.cpus"))}};
  out["mems"] = number_list(files.text("cpuset.mems"));
  for (const char* name : {"cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                           "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"})
    out[name] = parse_int(files.text(std::string("cpuset.") + name)).value_or(0);
  return out;
}

json::object amount(uint64_t limit, uint64_t usage, uint64_t most, uint64_t failures) {
  json::object out = {{"limit", limit}};
  put(out, "usage", usage);
  put(out, "max", most);
  out["failcnt"] = failures;
  return out;
}

json::object amount_v1(const Files& files, const std::string& prefix) {
  if (!files.has(prefix + ".limit_in_bytes")) return {};
  return amount(files.number(prefix + ".limit_in_bytes"), files.number(prefix + ".usage_in_bytes"),
                files.number(prefix + ".max_usage_in_bytes"), files.number(prefix + ".failcnt"));
}

/// Memory and swap together, as version 1 counts it.
json::object swap_v2(const Files& files, const cgroup::Stats& stats) {
  uint64_t memory = files.number("memory.max"), swap = files.number("memory.swap.max");
  bool limited = memory != UINT64_MAX && swap != UINT64_MAX;
  return amount(limited ? memory + swap : UINT64_MAX, stats.memory_usage + files.number("memory.swap.current"), 0, 0);
}

json::object memory(const cgroup::Stats& stats, const Files& files) {
  json::object out;
  auto cache = stats.memory_stat.find(files.v2 ? "file" : "cache");
  if (cache != stats.memory_stat.end()) put(out, "cache", cache->second);
  if (files.v2) {
    out["usage"] = amount(files.number("memory.max"), stats.memory_usage, stats.memory_max_usage, stats.memory_failcnt);
    out["swap"] = swap_v2(files, stats);
    out["kernel"] = json::object{{"failcnt", 0}, {"limit", 0}};
    out["kernelTCP"] = json::object{{"failcnt", 0}, {"limit", 0}};
  } else {
    out["usage"] = amount_v1(files, "memory");
    out["swap"] = amount_v1(files, "memory.memsw");
    out["kernel"] = amount_v1(files, "memory.kmem");
    out["kernelTCP"] = amount_v1(files, "memory.kmem.tcp");
  }
  out["raw"] = codec::write_json(stats.memory_stat);
  if (files.v2) put_pressure(out, files, "memory.pressure");
  return out;
}

json::array io_entries(const std::vector<cgroup::BlkioEntry>& entries) {
  json::array out;
  for (const auto& entry : entries)
    out.push_back({{"major", entry.major}, {"minor", entry.minor}, {"op", entry.op}, {"value", entry.value}});
  return out;
}

json::object blkio(const cgroup::Stats& stats, const Files& files) {
  json::object out;
  if (!stats.io_service_bytes.empty()) out["ioServiceBytesRecursive"] = io_entries(stats.io_service_bytes);
  if (!stats.io_serviced.empty()) out["ioServicedRecursive"] = io_entries(stats.io_serviced);
  if (files.v2) put_pressure(out, files, "io.pressure");
  return out;
}

/// By page size as the control group files have it: "2MB", "1GB".
json::object hugetlb(const Files& files) {
  json::object out;
  auto names = sys::list_dir(files.dir);
  if (!names) return out;
  std::string suffix = files.v2 ? ".current" : ".usage_in_bytes";
  for (const auto& name : *names) {
    if (!name.starts_with("hugetlb.") || !name.ends_with(suffix)) continue;
    std::string size = name.substr(8, name.size() - 8 - suffix.size()), file = "hugetlb." + size;
    if (size.find('.') != std::string::npos) continue;  // reservations are a count of their own
    json::object entry;
    put(entry, "usage", files.number(name));
    if (!files.v2) put(entry, "max", files.number(file + ".max_usage_in_bytes"));
    entry["failcnt"] = files.v2 ? parse_uint(words(files.text(file + ".events") + " 0 0").at(1)).value_or(0)
                                : files.number(file + ".failcnt");
    out[size] = std::move(entry);
  }
  return out;
}

/// From the container's own view of its devices; null when there is none but loopback.
json::value interfaces(pid_t init) {
  constexpr std::pair<const char*, size_t> kColumns[] = {{"RxBytes", 0},   {"RxPackets", 1}, {"RxErrors", 2},
                                                         {"RxDropped", 3}, {"TxBytes", 8},   {"TxPackets", 9},
                                                         {"TxErrors", 10}, {"TxDropped", 11}};
  json::array out;
  auto text = sys::read_file(fmt::format("/proc/{}/net/dev", init), 1 << 20);
  if (!text) return nullptr;
  for (const auto& line : split(*text, '\n')) {
    auto pair = split_once(line, ':');
    if (!pair || trim(pair->first) == "lo") continue;
    auto numbers = words(pair->second);
    if (numbers.size() < 12) continue;
    json::object entry = {{"Name", trim(pair->first)}};
    for (const auto& [name, column] : kColumns) entry[name] = parse_uint(numbers[column]).value_or(0);
    out.push_back(std::move(entry));
  }
  if (out.empty()) return nullptr;
  return out;
}

}  // namespace

Result<json::object> stats_data(const cgroup::HostCgroups& host, const cgroup::Cgroup& cgroups, pid_t init) {
  auto stats = TRY(cgroups.stats());
  auto files = [&](const char* controller) { return files_of(host, cgroups, controller); };
  json::object pids;
  put(pids, "current", stats.pids_current);
  put(pids, "limit", stats.pids_limit);
  return json::object{{"cpu", cpu(stats, files("cpuacct"), files("cpu"))},
                      {"cpuset", cpuset(files("cpuset"))},
                      {"memory", memory(stats, files("memory"))},
                      {"pids", std::move(pids)},
                      {"blkio", blkio(stats, files("blkio"))},
                      {"hugetlb", hugetlb(files("hugetlb"))},
                      {"intel_rdt", json::object()},
                      {"network_interfaces", interfaces(init)}};
}

}  // namespace sampan::bin
