#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime::internal {

namespace {

Result<void> set_supplementary_groups(const Child& child) {
  const auto& identity = child.identity;
  if (!child.process.no_setgroups) return sys::set_groups(identity.groups);
  for (gid_t group : identity.groups)
    if (group != identity.gid)
      return fail(Code::InvalidArgument, "cannot set any additional groups in a rootless container: group {}", group);
  return {};
}

}  // namespace

// The ids change while capabilities are kept, because loading a filter without no_new_privs needs CAP_SYS_ADMIN later;
// finish_privileges() then leaves what was asked for and nothing else.
Result<void> drop_privileges(Child& child) {
  TRY(sys::limit_bounding_set(child.process.bounding));
  TRY(sys::set_keep_capabilities(true));
  TRY(set_supplementary_groups(child));
  TRY(sys::set_all_gids(child.identity.gid));
  TRY(sys::set_all_uids(child.identity.uid));
  TRY(sys::set_keep_capabilities(false));
  TRY(sys::set_dumpable(false));  // changing ids resets it to the system's default
  if (child.workdir_denied) return enter_workdir(child);
  return {};
}

namespace {

/// The parent copies the listener out of this process and gives it to the agent before anything else happens here.
/// Plain write and read: the filter is in force, and these two are what it must let through (or the agent must).
Result<void> load_filter(Child& child) {
  const auto& plan = child.process;
  auto listener = TRY_CONTEXT(sys::load_seccomp(plan.seccomp, plan.seccomp_flags), "seccomp");
  if (!listener.valid()) return {};
  std::string packet = fmt::format("{}{}", static_cast<char>(Message::Listener), listener.get());
  TRY_CONTEXT(sys::write_all(child.channel.fd(), packet), "seccomp listener");
  char answer[1];
  auto got = TRY_CONTEXT(sys::read_some(child.channel.fd(), answer), "seccomp listener");
  if (got == 1 && answer[0] == static_cast<char>(Message::Go)) return {};
  return fail(Code::Unavailable, "seccomp listener: nobody has taken it");
}

}  // namespace

// Nothing between the filter and execve but capset and prctl: a profile may refuse any other call.
Result<void> finish_privileges(Child& child) {
  const auto& plan = child.process;
  auto now = TRY(sys::get_capabilities());
  sys::CapabilitySets final_sets{plan.effective & now.permitted, plan.permitted & now.permitted,
                                 plan.inheritable & now.permitted};
  bool filter = !plan.seccomp.empty(), no_new_privileges = plan.process->no_new_privileges;
  if (no_new_privileges) TRY(sys::set_no_new_privileges());
  if (filter && !no_new_privileges) {
    TRY(sys::set_capabilities({now.permitted, now.permitted, now.inheritable}));
    TRY(load_filter(child));
  }
  TRY(sys::set_capabilities(final_sets));
  TRY(sys::clear_ambient_set());
  TRY(sys::raise_ambient(plan.ambient & final_sets.permitted & final_sets.inheritable));
  if (filter && no_new_privileges) TRY(load_filter(child));
  return {};
}

}  // namespace sampan::runtime::internal
