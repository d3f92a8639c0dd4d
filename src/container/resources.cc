#include "base/strings.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

oci::DeviceRule rule(bool allow, const char* type, std::optional<int64_t> major, std::optional<int64_t> minor,
                     const char* access) {
  return {allow, type, major, minor, access};
}

void add_default_device_rules(std::vector<oci::DeviceRule>& out) {
  out.push_back(rule(false, "a", {}, {}, "rwm"));
  out.push_back(rule(true, "c", {}, {}, "m"));
  out.push_back(rule(true, "b", {}, {}, "m"));
  constexpr std::pair<int64_t, int64_t> kNodes[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}};
  for (auto [major, minor] : kNodes) out.push_back(rule(true, "c", major, minor, "rwm"));
  out.push_back(rule(true, "c", 136, {}, "rwm"));  // pseudo-terminals
}

/// "c 1:3 rwm", with "*" for any number.
std::optional<oci::DeviceRule> parse_device_rule(const std::string& text) {
  auto words = split(text, ' ');
  if (words.size() != 3 || words[0].size() != 1) return std::nullopt;
  auto numbers = split_once(words[1], ':');
  if (!numbers) return std::nullopt;
  oci::DeviceRule out{true, words[0], {}, {}, words[2]};
  if (numbers->first != "*") out.major = parse_int(numbers->first);
  if (numbers->second != "*") out.minor = parse_int(numbers->second);
  return out;
}

void add_device_rules(const HostConfig& host, const RuntimeFacts& facts, std::vector<oci::DeviceRule>& out) {
  if (host.privileged) {
    out.push_back(rule(true, "a", {}, {}, "rwm"));
    return;
  }
  add_default_device_rules(out);
  if (host.devices) {
    for (const auto& mapping : *host.devices) {
      auto found = facts.mapped_devices.find(mapping.path_on_host);
      if (found == facts.mapped_devices.end()) continue;
      for (const auto& device : found->second) {
        const char* access = mapping.cgroup_permissions.empty() ? "rwm" : mapping.cgroup_permissions.c_str();
        out.push_back(rule(true, device.type.c_str(), device.major, device.minor, access));
      }
    }
  }
  if (host.device_cgroup_rules) {
    for (const auto& text : *host.device_cgroup_rules) {
      if (auto parsed = parse_device_rule(text)) out.push_back(*parsed);
    }
  }
}

std::optional<oci::MemoryLimits> memory_limits(const HostConfig& host) {
  oci::MemoryLimits out;
  bool any = false;
  auto set = [&](auto& slot, int64_t value) {
    if (value == 0) return;
    slot = value;
    any = true;
  };
  set(out.limit, host.memory);
  set(out.reservation, host.memory_reservation);
  set(out.swap, host.memory_swap);
  if (host.memory_swappiness && *host.memory_swappiness >= 0) {
    out.swappiness = static_cast<uint64_t>(*host.memory_swappiness);
    any = true;
  }
  if (host.oom_kill_disable.value_or(false)) {
    out.disable_oom_killer = true;
    any = true;
  }
  return any ? std::optional(out) : std::nullopt;
}

std::optional<oci::CpuLimits> cpu_limits(const HostConfig& host) {
  oci::CpuLimits out;
  bool any = false;
  auto set = [&](auto& slot, auto value) {
    if (value == decltype(value){}) return;
    slot = static_cast<std::remove_cvref_t<decltype(*slot)>>(value);
    any = true;
  };
  set(out.shares, host.cpu_shares);
  if (host.nano_cpus > 0) {
    out.period = 100'000;
    out.quota = host.nano_cpus / 10'000;
    any = true;
  }
  set(out.period, host.cpu_period);
  set(out.quota, host.cpu_quota);
  set(out.realtime_period, host.cpu_realtime_period);
  set(out.realtime_runtime, host.cpu_realtime_runtime);
  out.cpus = host.cpuset_cpus;
  out.mems = host.cpuset_mems;
  return any || !out.cpus.empty() || !out.mems.empty() ? std::optional(out) : std::nullopt;
}

std::vector<oci::ThrottleDevice> throttles(const std::optional<std::vector<ThrottleDeviceSpec>>& list,
                                           const RuntimeFacts& facts) {
  std::vector<oci::ThrottleDevice> out;
  if (!list) return out;
  for (const auto& item : *list) {
    auto numbers = facts.device_numbers.find(item.path);
    if (numbers != facts.device_numbers.end())
      out.push_back({numbers->second.first, numbers->second.second, item.rate});
  }
  return out;
}

std::optional<oci::BlockIo> block_io(const HostConfig& host, const RuntimeFacts& facts) {
  oci::BlockIo out;
  if (host.blkio_weight != 0) out.weight = host.blkio_weight;
  if (host.blkio_weight_device) {
    for (const auto& item : *host.blkio_weight_device) {
      auto numbers = facts.device_numbers.find(item.path);
      if (numbers == facts.device_numbers.end()) continue;
      out.weight_device.push_back({numbers->second.first, numbers->second.second, item.weight, {}});
    }
  }
  out.throttle_read_bps_device = throttles(host.blkio_device_read_bps, facts);
  out.throttle_write_bps_device = throttles(host.blkio_device_write_bps, facts);
  out.throttle_read_iops_device = throttles(host.blkio_device_read_iops, facts);
  out.throttle_write_iops_device = throttles(host.blkio_device_write_iops, facts);
  const bool any = out.weight || !out.weight_device.empty() || !out.throttle_read_bps_device.empty() ||
                   !out.throttle_write_bps_device.empty() || !out.throttle_read_iops_device.empty() ||
                   !out.throttle_write_iops_device.empty();
  return any ? std::optional(out) : std::nullopt;
}

}  // namespace

oci::Resources make_resources(const HostConfig& host, const RuntimeFacts& facts) {
  oci::Resources out;
  add_device_rules(host, facts, out.devices);
  out.memory = memory_limits(host);
  out.cpu = cpu_limits(host);
  if (host.pids_limit && *host.pids_limit > 0) out.pids = oci::PidsLimit{*host.pids_limit};
  out.block_io = block_io(host, facts);
  return out;
}

}  // namespace sampan::container
