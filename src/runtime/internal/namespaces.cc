#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime::internal {

// Before any namespace is joined: a process of the container could otherwise trace this one, or open its descriptors
// and its program, as soon as it can see it (CVE-2016-9962).
Result<void> protect_process(Child& child) {
  TRY(sys::set_dumpable(false));
  sys::set_process_name(child.join ? "sampan:exec" : "sampan:init");
  // FALLBACK(linux<5.11): what was left open is listed by the host's procfs, which later is out of sight.
  if (sys::met_old_kernel()) TRY(sys::close_on_exec_from(3));
  ::umask(0);  // what is made on the way has exactly the modes that are asked for
  return {};
}

// Moving oneself by writing "0" into `tasks` is the one way into a version 1 cgroup that takes no global lock. It must
// come before the cgroup namespace is made, whose root is where its maker is.
Result<void> join_cgroups(Child& child) {
  const auto& affinity = child.process.process->exec_cpu_affinity;
  if (child.join && affinity && !affinity->initial.empty())
    TRY_CONTEXT(sys::set_cpu_affinity(affinity->initial), "process.execCPUAffinity.initial");
  for (const auto& file : child.process.cgroup_files) TRY(sys::write_all(file.get(), "0"));
  return {};
}

namespace {

/// Clocks can be shifted only in a time namespace that has no process yet: unshare makes it for children, its clocks
/// are set, and then this process moves in.
Result<void> make_time_namespace(Child& child) {
  TRY(sys::unshare_namespaces(sys::ns::kTime));
  std::string lines;
  for (const auto& [clock, offset] : child.container->spec->linux_->time_offsets)
    lines += fmt::format("{} {} {}\n", clock, offset.secs, offset.nanosecs);
  if (!lines.empty()) TRY(sys::write_kernel_file("/proc/self/timens_offsets", lines));
  auto made = TRY(sys::open_file("/proc/self/ns/time_for_children", 0));
  return sys::set_namespaces(made.get(), sys::ns::kTime);
}

}  // namespace

Result<void> join_namespaces(Child& child) {
  if (child.join) {
    if (child.join->namespaces != 0) TRY(sys::set_namespaces(child.join->init->get(), child.join->namespaces));
    return {};
  }
  // A user namespace was joined before this process was born: see step_through_user_namespace().
  for (const auto& join : child.container->joins)
    if (join.type != sys::ns::kUser) TRY(sys::set_namespaces(join.fd.get(), join.type));
  if (child.container->late_namespaces & sys::ns::kTime) TRY_CONTEXT(make_time_namespace(child), "time");
  if (child.container->late_namespaces & sys::ns::kCgroup)
    TRY_CONTEXT(sys::unshare_namespaces(sys::ns::kCgroup), "cgroup");
  return {};
}

Result<void> become_mapped_root(Child& child) {
  if (child.container && (child.container->new_namespaces & sys::ns::kUser)) {
    TRY(child.channel.send(Message::NeedMaps));
    TRY(child.channel.wait_go());
  }
  bool joined = child.join ? child.join->namespaces & sys::ns::kUser : child.container->user_namespace;
  if (!joined) return {};
  (void)sys::set_groups({});  // refused where setgroups is denied; the final step sets them for good
  TRY(sys::set_all_gids(0));
  TRY(sys::set_all_uids(0));
  TRY(sys::set_dumpable(false));  // changing ids resets it to the system's default
  if (child.container && (child.container->late_namespaces & sys::ns::kIpc))
    return sys::unshare_namespaces(sys::ns::kIpc);
  return {};
}

Result<void> set_up_network(Child& child) {
  if (!child.wants(sys::ns::kNet)) return {};
  return sys::bring_loopback_up();
}

Result<void> set_names(Child& child) {
  const auto& spec = *child.container->spec;
  bool own = child.wants(sys::ns::kUts);
  for (const auto& join : child.container->joins) own = own || join.type == sys::ns::kUts;
  if ((!spec.hostname.empty() || !spec.domainname.empty()) && !own)
    return fail(Code::InvalidArgument, "unable to set hostname without a private UTS namespace");
  if (!spec.hostname.empty()) TRY(sys::set_host_name(spec.hostname));
  if (!spec.domainname.empty()) TRY(sys::set_domain_name(spec.domainname));
  return {};
}

}  // namespace sampan::runtime::internal
