#include "sys/child.h"

#include <sys/wait.h>

#include <cerrno>

#include "sys/error.h"

namespace sampan::sys {

Result<std::optional<ExitStatus>> reap_child(const PidFd& child) {
  siginfo_t info{};
  int waited;
  do {
    waited = ::waitid(P_PIDFD, static_cast<id_t>(child.get()), &info, WEXITED | WNOHANG | __WALL);
  } while (waited != 0 && errno == EINTR);
  if (waited != 0) {
    Error error = sys_error("waitid");
    bool stranger = error.errno_value() == ECHILD;
    return stranger ? std::move(error).with_code(Code::NotFound) : std::move(error);
  }
  if (info.si_pid == 0) return std::optional<ExitStatus>();
  if (info.si_code == CLD_EXITED) return std::optional(ExitStatus{.code = info.si_status & 255});
  return std::optional(ExitStatus{.signal = info.si_status});
}

}  // namespace sampan::sys
