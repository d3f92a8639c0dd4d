#include "sys/credentials.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.h"
#include "sys/error.h"

namespace sampan::sys {
namespace {

constexpr std::string_view kNames[] = {"CAP_CHOWN",
                                       "CAP_DAC_OVERRIDE",
                                       "CAP_DAC_READ_SEARCH",
                                       "CAP_FOWNER",
                                       "CAP_FSETID",
                                       "CAP_KILL",
                                       "CAP_SETGID",
                                       "CAP_SETUID",
                                       "CAP_SETPCAP",
                                       "CAP_LINUX_IMMUTABLE",
                                       "CAP_NET_BIND_SERVICE",
                                       "CAP_NET_BROADCAST",
                                       "CAP_NET_ADMIN",
                                       "CAP_NET_RAW",
                                       "CAP_IPC_LOCK",
                                       "CAP_IPC_OWNER",
                                       "CAP_SYS_MODULE",
                                       "CAP_SYS_RAWIO",
                                       "CAP_SYS_CHROOT",
                                       "CAP_SYS_PTRACE",
                                       "CAP_SYS_PACCT",
                                       "CAP_SYS_ADMIN",
                                       "CAP_SYS_BOOT",
                                       "CAP_SYS_NICE",
                                       "CAP_SYS_RESOURCE",
                                       "CAP_SYS_TIME",
                                       "CAP_SYS_TTY_CONFIG",
                                       "CAP_MKNOD",
                                       "CAP_LEASE",
                                       "CAP_AUDIT_WRITE",
                                       "CAP_AUDIT_CONTROL",
                                       "CAP_SETFCAP",
                                       "CAP_MAC_OVERRIDE",
                                       "CAP_MAC_ADMIN",
                                       "CAP_SYSLOG",
                                       "CAP_WAKE_ALARM",
                                       "CAP_BLOCK_SUSPEND",
                                       "CAP_AUDIT_READ",
                                       "CAP_PERFMON",
                                       "CAP_BPF",
                                       "CAP_CHECKPOINT_RESTORE"};

uint32_t low(CapabilityMask mask) {
  return static_cast<uint32_t>(mask);
}
uint32_t high(CapabilityMask mask) {
  return static_cast<uint32_t>(mask >> 32);
}

}  // namespace

std::span<const std::string_view> capability_names() {
  return kNames;
}

std::optional<unsigned> capability_of_name(std::string_view name) {
  std::string upper = to_upper(name);
  if (!upper.starts_with("CAP_")) upper = "CAP_" + upper;
  for (unsigned i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == upper) return i;
  return std::nullopt;
}

std::string_view capability_name(unsigned number) {
  return number < std::size(kNames) ? kNames[number] : std::string_view();
}

CapabilityMask all_capabilities() {
  CapabilityMask mask = 0;
  for (unsigned i = 0; i < 64 && ::prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; ++i) mask |= CapabilityMask{1} << i;
  return mask;
}

Result<CapabilitySets> get_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  if (::syscall(SYS_capget, &header, data) < 0) return sys_error("capget");
  auto both = [](uint32_t lower, uint32_t upper) { return lower | CapabilityMask{upper} << 32; };
  return CapabilitySets{both(data[0].effective, data[1].effective), both(data[0].permitted, data[1].permitted),
                        both(data[0].inheritable, data[1].inheritable)};
}

Result<void> set_capabilities(const CapabilitySets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{low(sets.effective), low(sets.permitted), low(sets.inheritable)},
                                    {high(sets.effective), high(sets.permitted), high(sets.inheritable)}};
  if (::syscall(SYS_capset, &header, data) < 0) return sys_error("capset");
  return {};
}

Result<void> limit_bounding_set(CapabilityMask keep) {
  for (unsigned i = 0; i < 64; ++i) {
    if (keep >> i & 1) continue;
    int present = ::prctl(PR_CAPBSET_READ, i, 0, 0, 0);
    if (present < 0) break;  // past the kernel's last capability
    if (present == 1 && ::prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) return sys_error("prctl PR_CAPBSET_DROP");
  }
  return {};
}

Result<void> clear_ambient_set() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
    return sys_error("prctl PR_CAP_AMBIENT_CLEAR_ALL");
  return {};
}

Result<void> raise_ambient(CapabilityMask raised) {
  for (unsigned i = 0; i < 64; ++i)
    if (raised >> i & 1 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
      return sys_error("prctl PR_CAP_AMBIENT_RAISE", capability_name(i));
  return {};
}

Result<void> set_keep_capabilities(bool keep) {
  if (::prctl(PR_SET_KEEPCAPS, keep ? 1 : 0, 0, 0, 0) < 0) return sys_error("prctl PR_SET_KEEPCAPS");
  return {};
}

// Raw calls: glibc's wrappers signal every thread, and the caller is a fresh clone whose thread list is its parent's.
Result<void> set_groups(std::span<const gid_t> groups) {
  if (::syscall(SYS_setgroups, groups.size(), groups.data()) < 0) return sys_error("setgroups");
  return {};
}

Result<void> set_all_uids(uid_t uid) {
  if (::syscall(SYS_setresuid, uid, uid, uid) < 0) return sys_error("setresuid", std::to_string(uid));
  return {};
}

Result<void> set_all_gids(gid_t gid) {
  if (::syscall(SYS_setresgid, gid, gid, gid) < 0) return sys_error("setresgid", std::to_string(gid));
  return {};
}

Result<Fd> load_seccomp(std::span<const uint64_t> program, unsigned flags) {
  static_assert(sizeof(sock_filter) == sizeof(uint64_t));
  if (program.size() > BPF_MAXINSNS)
    return fail(Code::InvalidArgument, "a seccomp filter of {} instructions", program.size());
  sock_fprog prog{static_cast<unsigned short>(program.size()),
                  reinterpret_cast<sock_filter*>(const_cast<uint64_t*>(program.data()))};
  long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
  if (result < 0) return sys_error("seccomp");
  if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) return Fd(static_cast<int>(result));
  return Fd();
}

}  // namespace sampan::sys
