// memory. Source: kernel cgroup-v1/memory.rst, cgroup-v2.rst "Memory".
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup {

Result<int64_t> swap_of_memory_swap(int64_t memory_swap, int64_t memory) {
  if (memory == -1 && memory_swap == 0) return int64_t{-1};
  if (memory_swap == -1 || memory_swap == 0) return memory_swap;
  if (memory == 0 || memory == -1) return fail(Code::InvalidArgument, "unable to set swap limit without memory limit");
  if (memory < 0) return fail(Code::InvalidArgument, "invalid memory value: {}", memory);
  if (memory_swap < memory) return fail(Code::InvalidArgument, "memory+swap limit should be >= memory limit");
  return memory_swap - memory;
}

namespace internal {
namespace {

bool asked(const oci::Resources& resources) {
  return resources.memory.has_value();
}

std::string limit_text(int64_t value) {
  return value == -1 ? "max" : std::to_string(value);
}

/// The kernel refuses a limit below what is used; say how much that is.
Result<void> write_limit(const Request& request, const char* file, int64_t value) {
  auto written = write_number(request.dir, file, value);
  if (written || written.error().errno_value() != EBUSY) return written;
  return fail(Code::InvalidArgument, "unable to set memory limit to {} (current usage: {}, peak usage: {})", value,
              read_number(request.dir, "memory.usage_in_bytes"), read_number(request.dir, "memory.max_usage_in_bytes"));
}

Result<void> write_swap_v1(const Request& request, int64_t swap) {
  if (!has_file(request.dir, "memory.memsw.limit_in_bytes")) {
    request.warnings.push_back("this kernel does not account swap; the memory+swap limit was not set");
    return {};
  }
  return write_limit(request, "memory.memsw.limit_in_bytes", swap);
}

/// memory <= memory+swap must hold at every moment, so the one that grows goes first.
Result<void> apply_limits_v1(const Request& request, int64_t limit, int64_t swap) {
  // No limit on memory means none on memory+swap either, where that is counted.
  if (limit == -1 && swap == 0 && has_file(request.dir, "memory.memsw.limit_in_bytes")) swap = -1;
  if (limit != 0 && swap != 0) {
    uint64_t current = read_number(request.dir, "memory.limit_in_bytes");
    if (swap == -1 || current < static_cast<uint64_t>(swap)) {
      auto first = write_swap_v1(request, swap);
      if (first) return write_limit(request, "memory.limit_in_bytes", limit);
    }
    TRY(write_limit(request, "memory.limit_in_bytes", limit));
    return write_swap_v1(request, swap);
  }
  if (limit != 0) TRY(write_limit(request, "memory.limit_in_bytes", limit));
  if (swap != 0) TRY(write_swap_v1(request, swap));
  return {};
}

Result<void> apply_v1(const Request& request) {
  const auto& memory = *request.asked.memory;
  TRY(apply_limits_v1(request, memory.limit.value_or(0), memory.swap.value_or(0)));
  if (memory.reservation && *memory.reservation != 0)
    TRY(write_number(request.dir, "memory.soft_limit_in_bytes", *memory.reservation));
  if (memory.kernel.value_or(0) != 0 || memory.kernel_tcp.value_or(0) != 0)
    request.warnings.push_back("kernel memory limits are obsolete and were not set");
  if (memory.disable_oom_killer && *memory.disable_oom_killer) TRY(write_value(request.dir, "memory.oom_control", "1"));
  if (!memory.swappiness || static_cast<int64_t>(*memory.swappiness) == -1) return {};  // -1: Docker's "as it is"
  if (*memory.swappiness > 100)
    return fail(Code::InvalidArgument, "invalid memory swappiness value: {} (valid range is 0-100)",
                *memory.swappiness);
  return write_number(request.dir, "memory.swappiness", static_cast<int64_t>(*memory.swappiness));
}

/// Only version 2 takes a limit below what is used, and kills for it; a caller may want to hear of it instead.
Result<void> refuse_limit_below_usage(const Request& request, const oci::MemoryLimits& memory) {
  if (!memory.check_before_update.value_or(false)) return {};
  int64_t limit = memory.limit.value_or(0), swap = memory.swap.value_or(0);
  auto usage = static_cast<int64_t>(read_number(request.dir, "memory.current"));
  if (swap > 0 && swap <= usage)
    return fail(Code::InvalidArgument, "rejecting memory+swap limit {} <= usage {}", swap, usage);
  if (limit > 0 && limit <= usage)
    return fail(Code::InvalidArgument, "rejecting memory limit {} <= usage {}", limit, usage);
  return {};
}

/// `swap` is without the memory. Where memory+swap equals memory, it is 0 and a limit; else 0 is no wish.
Result<void> apply_swap_v2(const Request& request, int64_t swap, bool none) {
  if (swap == 0 && !none) return {};
  if (has_file(request.dir, "memory.swap.max")) return write_value(request.dir, "memory.swap.max", limit_text(swap));
  if (swap > 0) request.warnings.push_back("this kernel does not account swap; the swap limit was not set");
  return {};
}

Result<void> apply_v2(const Request& request) {
  const auto& memory = *request.asked.memory;
  TRY(refuse_limit_below_usage(request, memory));
  int64_t limit = memory.limit.value_or(0);
  int64_t swap = TRY(swap_of_memory_swap(memory.swap.value_or(0), limit));
  TRY(apply_swap_v2(request, swap, memory.swap.value_or(0) > 0));
  if (limit != 0) TRY(write_value(request.dir, "memory.max", limit_text(limit)));
  if (memory.reservation && *memory.reservation != 0)
    TRY(write_value(request.dir, "memory.low", limit_text(*memory.reservation)));
  if (memory.disable_oom_killer.value_or(false))
    request.warnings.push_back("the OOM killer cannot be disabled on cgroup v2");
  if (memory.kernel.value_or(0) != 0 || memory.kernel_tcp.value_or(0) != 0)
    request.warnings.push_back("kernel memory limits do not exist on cgroup v2 and were not set");
  if (memory.swappiness) request.warnings.push_back("memory swappiness does not exist on cgroup v2 and was not set");
  return {};
}

constexpr uint64_t kUnlimitedV1 = 0x7ffffffffffff000;  // what an unlimited version 1 file reads as

void stats_v1(const std::string& dir, Stats& stats) {
  stats.memory_usage = read_number(dir, "memory.usage_in_bytes");
  stats.memory_max_usage = read_number(dir, "memory.max_usage_in_bytes");
  stats.memory_failcnt = read_number(dir, "memory.failcnt");
  stats.memory_limit = read_number(dir, "memory.limit_in_bytes");
  if (stats.memory_limit >= kUnlimitedV1) stats.memory_limit = 0;
  stats.memory_stat = read_flat(dir, "memory.stat");
}

void stats_v2(const std::string& dir, Stats& stats) {
  stats.memory_usage = read_number(dir, "memory.current");
  stats.memory_max_usage = read_number(dir, "memory.peak");
  stats.memory_limit = read_number(dir, "memory.max");
  stats.memory_failcnt = read_flat(dir, "memory.events")["max"];
  stats.memory_stat = read_flat(dir, "memory.stat");
}

}  // namespace

const Controller kMemory{"memory", "memory", asked, apply_v1, apply_v2, stats_v1, stats_v2};

}  // namespace internal
}  // namespace sampan::cgroup
