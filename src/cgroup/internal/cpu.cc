// cpu and cpuacct. Source: kernel cgroup-v1/cpuacct.rst, scheduler/sched-bwc.rst, cgroup-v2.rst "CPU".
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "base/strings.h"
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup {

uint64_t cpu_weight_of_shares(uint64_t shares) {
  if (shares == 0) return 0;
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  // A quadratic through (2, 1), (1024, 100) and (262144, 10000) on log2/log10 axes, so that both defaults agree.
  double l = std::log2(static_cast<double>(shares));
  double exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
  return static_cast<uint64_t>(std::ceil(std::pow(10.0, exponent)));
}

namespace internal {
namespace {

bool asked(const oci::Resources& resources) {
  return resources.cpu.has_value();
}

/// Kernels before 5.14 have no burst: only one that is more than nothing is worth a word.
Result<void> write_burst(const Request& request, const char* file, std::optional<uint64_t> burst) {
  if (!burst) return {};
  if (has_file(request.dir, file)) return write_number(request.dir, file, static_cast<int64_t>(*burst));
  if (*burst != 0) request.warnings.push_back("this kernel has no CPU burst; it was not set");
  return {};
}

/// The period before the quota when it grows, after it when it shrinks, whichever the kernel takes: burst must stay
/// under the quota and the quota's ratio under the parent's at every moment.
Result<void> apply_bandwidth_v1(const Request& request, const oci::CpuLimits& cpu) {
  TRY(write_burst(request, "cpu.cfs_burst_us", cpu.burst ? std::optional<uint64_t>(0) : std::nullopt));
  bool period_written = false;
  if (cpu.period && *cpu.period != 0) {
    auto written = write_number(request.dir, "cpu.cfs_period_us", static_cast<int64_t>(*cpu.period));
    if (!written && (written.error().errno_value() != EINVAL || !cpu.quota)) return written;
    period_written = written.has_value();
  }
  if (cpu.quota && *cpu.quota != 0) {
    TRY(write_number(request.dir, "cpu.cfs_quota_us", *cpu.quota));
    if (!period_written && cpu.period && *cpu.period != 0)
      TRY(write_number(request.dir, "cpu.cfs_period_us", static_cast<int64_t>(*cpu.period)));
  }
  return write_burst(request, "cpu.cfs_burst_us", cpu.burst);
}

/// Period and runtime bound each other: a period that is refused is tried again after the runtime.
Result<void> apply_realtime_v1(const Request& request, const oci::CpuLimits& cpu) {
  int64_t period = static_cast<int64_t>(cpu.realtime_period.value_or(0)), runtime = cpu.realtime_runtime.value_or(0);
  bool again = false;
  if (period != 0) {
    auto written = write_number(request.dir, "cpu.rt_period_us", period);
    if (!written && (written.error().errno_value() != EINVAL || runtime == 0)) return written;
    again = !written;
  }
  if (runtime != 0) TRY(write_number(request.dir, "cpu.rt_runtime_us", runtime));
  return again ? write_number(request.dir, "cpu.rt_period_us", period) : Result<void>();
}

Result<void> apply_v1(const Request& request) {
  const auto& cpu = *request.asked.cpu;
  if (cpu.shares && *cpu.shares != 0) {
    TRY(write_number(request.dir, "cpu.shares", static_cast<int64_t>(*cpu.shares)));
    uint64_t taken = read_number(request.dir, "cpu.shares", *cpu.shares);  // a group that has just gone bounds nothing
    if (taken < *cpu.shares) return fail(Code::InvalidArgument, "the maximum allowed cpu-shares is {}", taken);
    if (taken > *cpu.shares) return fail(Code::InvalidArgument, "the minimum allowed cpu-shares is {}", taken);
  }
  TRY(apply_bandwidth_v1(request, cpu));
  TRY(apply_realtime_v1(request, cpu));
  if (cpu.idle) TRY(write_number(request.dir, "cpu.idle", *cpu.idle));
  return {};
}

Result<void> apply_v2(const Request& request) {
  const auto& cpu = *request.asked.cpu;
  if (cpu.idle) TRY(write_number(request.dir, "cpu.idle", *cpu.idle));
  if (cpu.shares && *cpu.shares != 0)
    TRY(write_number(request.dir, "cpu.weight", static_cast<int64_t>(cpu_weight_of_shares(*cpu.shares))));
  TRY(write_burst(request, "cpu.max.burst", cpu.burst ? std::optional<uint64_t>(0) : std::nullopt));
  bool quota = cpu.quota && *cpu.quota != 0, period = cpu.period && *cpu.period != 0;
  if (quota || period) {
    std::string value = quota && *cpu.quota > 0 ? std::to_string(*cpu.quota) : "max";
    if (!quota) {  // a new period leaves the quota as it is
      auto now = words(read_text(request.dir, "cpu.max"));
      if (!now.empty()) value = now[0];
    }
    if (period) value += " " + std::to_string(*cpu.period);
    TRY(write_value(request.dir, "cpu.max", value));
  }
  TRY(write_burst(request, "cpu.max.burst", cpu.burst));
  if ((cpu.realtime_period && *cpu.realtime_period) || (cpu.realtime_runtime && *cpu.realtime_runtime))
    request.warnings.push_back("real-time CPU limits do not exist on cgroup v2 and were not set");
  return {};
}

void stats_v1(const std::string& dir, Stats& stats) {
  auto flat = read_flat(dir, "cpu.stat");
  stats.throttle_periods = flat["nr_periods"];
  stats.throttled_periods = flat["nr_throttled"];
  stats.throttled_time = flat["throttled_time"];
}

void stats_v2(const std::string& dir, Stats& stats) {
  auto flat = read_flat(dir, "cpu.stat");
  stats.cpu_total = flat["usage_usec"] * 1000;
  stats.cpu_user = flat["user_usec"] * 1000;
  stats.cpu_system = flat["system_usec"] * 1000;
  stats.throttle_periods = flat["nr_periods"];
  stats.throttled_periods = flat["nr_throttled"];
  stats.throttled_time = flat["throttled_usec"] * 1000;
}

void accounting_v1(const std::string& dir, Stats& stats) {
  stats.cpu_total = read_number(dir, "cpuacct.usage");
  auto ticks = read_flat(dir, "cpuacct.stat");
  static const uint64_t per_tick = 1'000'000'000ULL / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  stats.cpu_user = ticks["user"] * per_tick;
  stats.cpu_system = ticks["system"] * per_tick;
  for (const auto& word : words(read_text(dir, "cpuacct.usage_percpu")))
    stats.cpu_percpu.push_back(parse_uint(word).value_or(0));
}

bool never(const oci::Resources&) {
  return false;
}

}  // namespace

const Controller kCpu{"cpu", "cpu", asked, apply_v1, apply_v2, stats_v1, stats_v2};
const Controller kCpuacct{"cpuacct", nullptr, never, nullptr, nullptr, accounting_v1, nullptr};

}  // namespace internal
}  // namespace sampan::cgroup
