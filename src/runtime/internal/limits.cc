#include <sys/stat.h>

#include <algorithm>

#include "base/strings.h"
#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/process.h"

namespace sampan::runtime::internal {
namespace {

constexpr std::string_view kOpenFiles = "RLIMIT_NOFILE";

/// A limit above the hard one needs CAP_SYS_RESOURCE. Without it the container gets as much as there is, and is told.
Result<void> set_rlimit(Child& child, const oci::Rlimit& limit) {
  auto resource = sys::resource_of_name(limit.type);
  if (!resource) return fail(Code::InvalidArgument, "rlimit type {} is unknown", limit.type);
  if (limit.soft > limit.hard) return fail(Code::InvalidArgument, "{}: soft limit above hard limit", limit.type);
  oci::Rlimit asked = limit;
  if (limit.type == kOpenFiles) {  // only raised here: the steps that follow open files of their own
    auto now = TRY(sys::get_resource_limit(*resource));
    if (asked.hard <= now.hard) return {};
    asked.soft = std::max(asked.soft, now.soft);
  }
  auto set = sys::set_resource_limit(*resource, {asked.soft, asked.hard});
  if (set || set.error().errno_value() != EPERM) {
    if (!set) return std::move(set).error().context(asked.type);
    return {};
  }
  auto now = TRY(sys::get_resource_limit(*resource));
  TRY_CONTEXT(sys::set_resource_limit(*resource, {std::min(asked.soft, now.hard), std::min(asked.hard, now.hard)}),
              asked.type);
  return child.channel.send(Message::Warning,
                            fmt::format("{} cannot be raised above {} on this host", asked.type, now.hard));
}

Result<int> io_class(const std::string& name) {
  if (name == "IOPRIO_CLASS_RT") return 1;
  if (name == "IOPRIO_CLASS_BE") return 2;
  if (name == "IOPRIO_CLASS_IDLE") return 3;
  return fail(Code::InvalidArgument, "unknown I/O priority class \"{}\"", name);
}

Result<uint64_t> scheduler_flags(const std::vector<std::string>& names) {
  static constexpr std::pair<std::string_view, uint64_t> kFlags[] = {
      {"SCHED_FLAG_RESET_ON_FORK", 0x01}, {"SCHED_FLAG_RECLAIM", 0x02},     {"SCHED_FLAG_DL_OVERRUN", 0x04},
      {"SCHED_FLAG_KEEP_POLICY", 0x08},   {"SCHED_FLAG_KEEP_PARAMS", 0x10}, {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
      {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}};
  uint64_t flags = 0;
  for (const auto& name : names) {
    bool known = false;
    for (const auto& [text, flag] : kFlags)
      if (text == name) flags |= flag, known = true;
    if (!known) return fail(Code::InvalidArgument, "unknown scheduler flag \"{}\"", name);
  }
  return flags;
}

Result<void> set_personality(Child& child) {
  if (!child.process.personality) return {};
  const std::string& domain = child.process.personality->domain;
  if (domain == "LINUX") return sys::set_personality(0);
  if (domain == "LINUX32") return sys::set_personality(8);
  return fail(Code::InvalidArgument, "unknown personality domain \"{}\"", domain);
}

}  // namespace

// Nothing after it opens a file. Whoever raised the limit in set_limits() is who could.
Result<void> limit_open_files(Child& child) {
  for (const auto& limit : child.process.process->rlimits) {
    if (limit.type != kOpenFiles) continue;
    auto resource = sys::resource_of_name(limit.type).value_or(0);
    auto now = TRY(sys::get_resource_limit(resource));
    TRY_CONTEXT(sys::set_resource_limit(resource, {std::min(limit.soft, now.hard), std::min(limit.hard, now.hard)}),
                limit.type);
  }
  return {};
}

Result<void> set_limits(Child& child) {
  const auto& process = *child.process.process;
  for (const auto& limit : process.rlimits) TRY(set_rlimit(child, limit));
  if (process.scheduler) {
    const auto& s = *process.scheduler;
    TRY(sys::set_scheduler(s.policy, s.nice, s.priority, TRY(scheduler_flags(s.flags)), s.runtime, s.deadline,
                           s.period));
  }
  if (process.io_priority)
    TRY(sys::set_io_priority(TRY(io_class(process.io_priority->clazz)), process.io_priority->priority));
  if (process.exec_cpu_affinity && child.join) {
    const auto& affinity = *process.exec_cpu_affinity;
    if (!affinity.final_.empty()) TRY_CONTEXT(sys::set_cpu_affinity(affinity.final_), "process.execCPUAffinity.final");
  }
  TRY(set_personality(child));
  if (const auto* policy = child.process.memory_policy)
    TRY_CONTEXT(sys::set_memory_policy(policy->mode, policy->nodes, policy->flags), "linux.memoryPolicy");
  if (child.process.new_keyring) {
    auto joined = sys::join_new_session_keyring(child.process.keyring_name);
    if (!joined && joined.error().errno_value() != ENOSYS) return joined;
  }
  ::umask(process.user.umask.value_or(0022));
  return {};
}

}  // namespace sampan::runtime::internal
