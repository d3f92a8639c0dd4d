// The attributes of a process that a specification asks for: resource limits, scheduling, affinity, loopback.
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "sys/error.h"
#include "sys/process.h"

namespace sampan::sys {

std::optional<int> resource_of_name(std::string_view name) {
  static constexpr std::pair<std::string_view, int> kNames[] = {{"RLIMIT_AS", RLIMIT_AS},
                                                                {"RLIMIT_CORE", RLIMIT_CORE},
                                                                {"RLIMIT_CPU", RLIMIT_CPU},
                                                                {"RLIMIT_DATA", RLIMIT_DATA},
                                                                {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                                                                {"RLIMIT_LOCKS", RLIMIT_LOCKS},
                                                                {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                                                                {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                                                                {"RLIMIT_NICE", RLIMIT_NICE},
                                                                {"RLIMIT_NOFILE", RLIMIT_NOFILE},
                                                                {"RLIMIT_NPROC", RLIMIT_NPROC},
                                                                {"RLIMIT_RSS", RLIMIT_RSS},
                                                                {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                                                                {"RLIMIT_RTTIME", RLIMIT_RTTIME},
                                                                {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                                                                {"RLIMIT_STACK", RLIMIT_STACK}};
  for (const auto& [known, resource] : kNames)
    if (known == name) return resource;
  return std::nullopt;
}

Result<void> set_resource_limit(int resource, ResourceLimit limit) {
  rlimit value{limit.soft, limit.hard};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &value) < 0) return sys_error("setrlimit");
  return {};
}

Result<ResourceLimit> get_resource_limit(int resource) {
  rlimit value;
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &value) < 0) return sys_error("getrlimit");
  return ResourceLimit{value.rlim_cur, value.rlim_max};
}

Result<void> set_io_priority(int clazz, int priority) {
  constexpr int kWhoProcess = 1, kClassShift = 13;
  if (::syscall(SYS_ioprio_set, kWhoProcess, 0, (clazz << kClassShift) | priority) < 0) return sys_error("ioprio_set");
  return {};
}

Result<void> set_scheduler(std::string_view policy, int nice, int priority, uint64_t flags, uint64_t runtime,
                           uint64_t deadline, uint64_t period) {
  static constexpr std::pair<std::string_view, uint32_t> kPolicies[] = {
      {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},      {"SCHED_BATCH", 3},
      {"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6}};
  // The kernel's struct sched_attr, version 0; glibc 2.36 does not have it.
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } value = {};
  value.size = sizeof value;
  bool known = false;
  for (const auto& [name, number] : kPolicies)
    if (name == policy) value.policy = number, known = true;
  if (!known) return fail(Code::InvalidArgument, "unknown scheduler policy \"{}\"", policy);
  value.flags = flags;
  value.nice = nice;
  value.priority = static_cast<uint32_t>(priority);
  value.runtime = runtime, value.deadline = deadline, value.period = period;
  if (::syscall(SYS_sched_setattr, 0, &value, 0) < 0) return sys_error("sched_setattr", policy);
  return {};
}

namespace {

using NamedNumber = std::pair<std::string_view, unsigned>;

Result<unsigned> number_of(std::span<const NamedNumber> table, std::string_view name, std::string_view what) {
  for (const auto& [known, number] : table)
    if (known == name) return number;
  return fail(Code::InvalidArgument, "unknown memory policy {} \"{}\"", what, name);
}

/// "0-3,7" into the bits of a mask.
Result<void> add_list(std::string_view list, std::span<uint64_t> mask, std::string_view what) {
  for (const auto& piece : split(list, ',')) {
    auto range = split_once(piece, '-');
    auto first = parse_uint(range ? range->first : std::string_view(piece));
    auto last = range ? parse_uint(range->second) : first;
    if (!first || !last || *last < *first || *last >= mask.size() * 64)
      return fail(Code::InvalidArgument, "bad {} list \"{}\"", what, list);
    for (uint64_t bit = *first; bit <= *last; ++bit) mask[bit / 64] |= uint64_t{1} << bit % 64;
  }
  return {};
}

}  // namespace

Result<void> set_memory_policy(std::string_view mode, std::string_view nodes, std::span<const std::string> flags) {
  static constexpr NamedNumber kModes[] = {{"MPOL_DEFAULT", 0},
                                           {"MPOL_PREFERRED", 1},
                                           {"MPOL_BIND", 2},
                                           {"MPOL_INTERLEAVE", 3},
                                           {"MPOL_LOCAL", 4},
                                           {"MPOL_PREFERRED_MANY", 5},
                                           {"MPOL_WEIGHTED_INTERLEAVE", 6}};
  static constexpr NamedNumber kFlags[] = {
      {"MPOL_F_NUMA_BALANCING", 1U << 13}, {"MPOL_F_RELATIVE_NODES", 1U << 14}, {"MPOL_F_STATIC_NODES", 1U << 15}};
  unsigned value = TRY(number_of(kModes, mode, "mode"));
  for (const auto& flag : flags) value |= TRY(number_of(kFlags, flag, "flag"));
  uint64_t mask[16] = {};
  if (!nodes.empty()) TRY(add_list(nodes, mask, "node"));
  if (::syscall(SYS_set_mempolicy, value, nodes.empty() ? nullptr : mask, nodes.empty() ? 0 : sizeof mask * 8) < 0)
    return sys_error("set_mempolicy", mode);
  return {};
}

Result<void> set_cpu_affinity(std::string_view cpu_list) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (const auto& piece : split(cpu_list, ',')) {
    auto range = split_once(piece, '-');
    auto first = parse_uint(range ? range->first : std::string_view(piece));
    auto last = range ? parse_uint(range->second) : first;
    if (!first || !last || *last < *first || *last >= CPU_SETSIZE)
      return fail(Code::InvalidArgument, "bad CPU list \"{}\"", cpu_list);
    for (uint64_t cpu = *first; cpu <= *last; ++cpu) CPU_SET(cpu, &cpus);
  }
  if (::sched_setaffinity(0, sizeof cpus, &cpus) < 0) return sys_error("sched_setaffinity", cpu_list);
  return {};
}

Result<void> bring_loopback_up() {
  int raw = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return sys_error("socket");
  Fd socket(raw);
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(raw, SIOCGIFFLAGS, &request) < 0) return sys_error("ioctl SIOCGIFFLAGS", "lo");
  request.ifr_flags |= IFF_UP;
  if (::ioctl(raw, SIOCSIFFLAGS, &request) < 0) return sys_error("ioctl SIOCSIFFLAGS", "lo");
  return {};
}

}  // namespace sampan::sys
