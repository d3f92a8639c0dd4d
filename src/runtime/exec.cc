#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/internal/plan.h"
#include "runtime/internal/process.h"
#include "runtime/internal/rootless.h"
#include "runtime/internal/seccomp.h"
#include "runtime/internal/validate.h"
#include "runtime/runtime.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime {
namespace {

constexpr const char* kNamespaceNames[] = {"user", "mnt", "net", "ipc", "uts", "cgroup", "time", "pid"};

/// The namespaces in which init is not where the caller is. setns refuses some that are the same already.
Result<uint64_t> differing_namespaces(pid_t init) {
  uint64_t flags = 0;
  for (const char* name : kNamespaceNames) {
    struct stat own, other;
    if (::stat(fmt::format("/proc/self/ns/{}", name).c_str(), &own) < 0) continue;  // this kernel has none of the kind
    if (::stat(fmt::format("/proc/{}/ns/{}", init, name).c_str(), &other) < 0)
      return sys::sys_error("stat", fmt::format("/proc/{}/ns/{}", init, name));
    if (own.st_ino != other.st_ino || own.st_dev != other.st_dev) flags |= sys::ns::flag_of_proc_name(name);
  }
  return flags;
}

}  // namespace

Result<Process> exec(pid_t init, const cgroup::Cgroup& cgroups, const ExecOptions& options) {
  Process child;
  TRY(internal::validate_process(options.process, child.warnings));
  TRY(internal::keep_standard_descriptors_open());
  auto pidfd = TRY(sys::open_pidfd(init));
  if (::geteuid() != 0) TRY(internal::join_as_root(pidfd));
  internal::JoinPlan join;
  join.init = &pidfd;
  join.namespaces = TRY(differing_namespaces(init));
  join.root = TRY(sys::open_dir(fmt::format("/proc/{}/root", init)));
  // The number may have become somebody else's before the descriptor was taken, but not since.
  if (!sys::is_running(pidfd)) return fail(Code::Conflict, "init process {} is not running", init);

  internal::ProcessPlan plan;
  plan.process = &options.process;
  plan.user = options.user;
  plan.group_add = options.group_add;
  plan.stdio = options.stdio;
  plan.preserve_fds = options.preserve_fds;
  plan.args = options.process.args;
  plan.trace = options.trace;
  if (options.section) plan.hold(*options.section);
  if (options.seccomp) plan.seccomp = *options.seccomp;
  plan.seccomp_flags = TRY(internal::seccomp_flags(options.seccomp_flags));
  std::optional<internal::Agent> agent;
  if (options.seccomp && options.listener && internal::needs_listener(*options.listener)) {
    agent = TRY(internal::Agent::connect(*options.listener));
    plan.seccomp_flags = TRY(internal::section_flags(*options.listener, true));
  }
  TRY(internal::plan_capabilities(options.process, plan, child.warnings));

  plan.no_setgroups = internal::setgroups_denied(std::to_string(init));
  // A rootless container may have no control groups of its own, or none that its owner can enter.
  bool apart = options.detach_cgroup || (internal::in_user_namespace() && !cgroups.join_fds());
  if (!options.sub_cgroups.empty()) {
    plan.cgroup_files = TRY_CONTEXT(cgroups.join_fds_below(options.sub_cgroups), "join control group");
    apart = true;
  }
  internal::Birth birth{plan, nullptr, &join, apart ? nullptr : &cgroups};
  if (join.namespaces & sys::ns::kPid) birth.pid_namespace = pidfd.get();
  join.namespaces &= ~sys::ns::kPid;
  auto channel = TRY(internal::give_birth(birth, child));
  std::optional<internal::Handover> handover;
  if (agent) handover.emplace(internal::Handover{*agent, options.state});
  auto running = internal::await_exec(channel, child, handover ? &*handover : nullptr);
  if (running) return child;
  internal::kill_and_reap(child);
  return std::move(running).error();
}

}  // namespace sampan::runtime
