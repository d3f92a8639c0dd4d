#include "cgroup/internal/unit_properties.h"

#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "cgroup/internal/device_list.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

using Properties = std::vector<UnitProperty>;

constexpr uint64_t kInfinity = std::numeric_limits<uint64_t>::max(), kDefaultPeriod = 100000;
constexpr uint64_t kMaxMaskBit = 8191;  // as many CPUs as a Linux kernel can have

uint64_t limit_of(int64_t value) {
  return value < 0 ? kInfinity : static_cast<uint64_t>(value);
}

std::string device_name(const DeviceList::Key& key) {
  std::string group = key.type == 'b' ? "block" : "char";
  if (key.major < 0) return group + "-*";
  if (key.minor < 0) return fmt::format("{}-{}", group, key.major);
  return fmt::format("/dev/{}/{}:{}", group, key.major, key.minor);
}

void add_quota(Properties& out, int64_t quota, uint64_t period) {
  if (period != 0) out.push_back({"CPUQuotaPeriodUSec", period});
  if (quota == 0 && period == 0) return;
  uint64_t per_second = kInfinity;
  if (quota > 0) {
    per_second = static_cast<uint64_t>(quota) * 1'000'000 / (period == 0 ? kDefaultPeriod : period);
    // systemd counts in percent: rounded up, so that children can have what was asked.
    per_second = (per_second + 9999) / 10000 * 10000;
  }
  out.push_back({"CPUQuotaPerSecUSec", per_second});
}

Result<void> add_cpu(Properties& out, const oci::CpuLimits& cpu, Version version) {
  if (uint64_t shares = cpu.shares.value_or(0); shares != 0 && version != Version::V2)
    out.push_back({"CPUShares", shares});
  else if (shares != 0 && cpu.idle.value_or(0) != 1)  // an idle group has no weight
    out.push_back({"CPUWeight", cpu_weight_of_shares(shares)});
  add_quota(out, cpu.quota.value_or(0), cpu.period.value_or(0));
  if (!cpu.cpus.empty()) out.push_back({"AllowedCPUs", TRY(parse_mask(cpu.cpus))});
  if (!cpu.mems.empty()) out.push_back({"AllowedMemoryNodes", TRY(parse_mask(cpu.mems))});
  return {};
}

Result<void> add_memory(Properties& out, const oci::MemoryLimits& memory, Version version) {
  int64_t limit = memory.limit.value_or(0), swap = memory.swap.value_or(0);
  if (version != Version::V2) {
    if (limit != 0) out.push_back({"MemoryLimit", limit_of(limit)});
    return {};
  }
  if (limit != 0) out.push_back({"MemoryMax", limit_of(limit)});
  if (memory.reservation.value_or(0) != 0) out.push_back({"MemoryLow", limit_of(*memory.reservation)});
  int64_t swap_only = TRY(swap_of_memory_swap(swap, limit));
  if (swap_only != 0 || swap > 0) out.push_back({"MemorySwapMax", limit_of(swap_only)});
  return {};
}

struct UnifiedName {
  const char *file, *property;
};
constexpr UnifiedName kUnifiedLimits[] = {{"memory.min", "MemoryMin"},          {"memory.low", "MemoryLow"},
                                          {"memory.high", "MemoryHigh"},        {"memory.max", "MemoryMax"},
                                          {"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
                                          {"cpu.weight", "CPUWeight"}};
constexpr UnifiedName kUnifiedMasks[] = {{"cpuset.cpus", "AllowedCPUs"}, {"cpuset.mems", "AllowedMemoryNodes"}};

Result<uint64_t> unified_number(const std::string& file, std::string_view text) {
  if (text == "max") return kInfinity;
  auto number = parse_uint(text);
  if (!number) return fail(Code::InvalidArgument, "unified resource \"{}\" value invalid: \"{}\"", file, text);
  return *number;
}

Result<void> add_unified(Properties& out, const std::string& file, std::string_view value) {
  for (const auto& name : kUnifiedLimits) {
    if (file != name.file) continue;
    uint64_t number = TRY(unified_number(file, value));
    if (file == "pids.max") number = std::max<uint64_t>(number, 1);  // systemd takes no 0
    out.push_back({name.property, number});
  }
  for (const auto& name : kUnifiedMasks)
    if (file == name.file) out.push_back({name.property, TRY_CONTEXT(parse_mask(value), "unified resource " + file)});
  if (file != "cpu.max") return {};
  auto parts = words(value);
  if (parts.empty() || parts.size() > 2)
    return fail(Code::InvalidArgument, "unified resource \"{}\" value invalid: \"{}\"", file, value);
  uint64_t quota = TRY(unified_number(file, parts[0]));
  uint64_t period = parts.size() == 2 ? TRY(unified_number(file, parts[1])) : kDefaultPeriod;
  add_quota(out, quota == kInfinity ? -1 : static_cast<int64_t>(quota), period);
  return {};
}

}  // namespace

Result<std::vector<uint8_t>> parse_mask(std::string_view list) {
  std::vector<uint8_t> mask;
  for (const auto& part : split(list, ',')) {
    auto range = trim(part);
    if (range.empty()) continue;
    auto ends = split_once(range, '-');
    auto first = parse_uint(ends ? ends->first : range), last = ends ? parse_uint(ends->second) : first;
    if (!first || !last || *first > *last || *last > kMaxMaskBit)
      return fail(Code::InvalidArgument, "invalid range \"{}\"", range);
    if (mask.size() <= *last / 8) mask.resize(*last / 8 + 1);
    for (uint64_t bit = *first; bit <= *last; ++bit) mask[bit / 8] |= static_cast<uint8_t>(1U << bit % 8);
  }
  if (mask.empty()) return fail(Code::InvalidArgument, "an empty list of numbers");
  return mask;
}

Result<std::vector<UnitProperty>> device_properties(const std::vector<oci::DeviceRule>& rules) {
  using Entries = std::vector<std::pair<std::string, std::string>>;
  auto list = DeviceList::of_rules(rules);
  // An empty list empties the one of before: entries add up.
  Properties out = {{"DeviceAllow", Entries()}};
  if (!list || list->allows_by_default()) {
    out.push_back({"DevicePolicy", std::string("auto")});
    return out;
  }
  Entries entries;
  for (const auto& [key, access] : list->exceptions())
    if (key.major >= 0 || key.minor < 0) entries.emplace_back(device_name(key), format_access(access));  // no "*:3"
  out.push_back({"DevicePolicy", std::string("strict")});
  out.push_back({"DeviceAllow", std::move(entries)});
  return out;
}

Result<std::vector<UnitProperty>> limit_properties(const oci::Resources& resources, Version version) {
  Properties out;
  if (!resources.devices.empty()) out = TRY(device_properties(resources.devices));
  if (resources.memory) TRY(add_memory(out, *resources.memory, version));
  if (resources.cpu) TRY(add_cpu(out, *resources.cpu, version));
  if (resources.pids && resources.pids->limit != 0) out.push_back({"TasksMax", limit_of(resources.pids->limit)});
  if (resources.block_io && resources.block_io->weight.value_or(0) != 0 && version != Version::V2)
    out.push_back({"BlockIOWeight", uint64_t{*resources.block_io->weight}});
  for (const auto& [file, value] : resources.unified) TRY(add_unified(out, file, trim(value)));
  return out;
}

}  // namespace sampan::cgroup::internal
