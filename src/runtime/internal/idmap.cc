#include "runtime/internal/idmap.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime::internal {

std::string format_mappings(const std::vector<oci::IdMapping>& mappings) {
  std::string text;
  for (const auto& mapping : mappings)
    text += fmt::format("{} {} {}\n", mapping.container_id, mapping.host_id, mapping.size);
  return text;
}

Result<void> write_mappings(pid_t pid, const std::vector<oci::IdMapping>& uids,
                            const std::vector<oci::IdMapping>& gids) {
  if (uids.empty() || gids.empty())
    return fail(Code::InvalidArgument, "user namespaces need uidMappings and gidMappings");
  std::string proc = fmt::format("/proc/{}/", pid);
  TRY(sys::write_kernel_file(proc + "gid_map", format_mappings(gids)));
  return sys::write_kernel_file(proc + "uid_map", format_mappings(uids));
}

Result<sys::NsFd> make_user_namespace(const std::vector<oci::IdMapping>& uids,
                                      const std::vector<oci::IdMapping>& gids) {
  auto child = TRY(sys::clone_process({.namespaces = sys::ns::kUser}));
  if (child.pid == 0)
    for (;;) ::pause();
  auto made = [&]() -> Result<sys::NsFd> {
    TRY(write_mappings(child.pid, uids, gids));
    return TRY(sys::open_file(fmt::format("/proc/{}/ns/user", child.pid), O_RDONLY)).as<sys::NsFdTag>();
  }();
  (void)sys::send_signal(child.pidfd, SIGKILL);
  // Where SIGCHLD is ignored, the kernel has reaped it.
  auto ended = sys::reap(child.pid);
  if (!ended && ended.error().errno_value() != ECHILD) return std::move(ended).error();
  return made;
}

}  // namespace sampan::runtime::internal
