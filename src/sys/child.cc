#include "sys/child.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sys/error.h"
#include "sys/old_process.h"

namespace sampan::sys {

Result<std::optional<ExitStatus>> reap_child(const PidFd& child) {
  siginfo_t info{};
  int waited;
  do {
    waited = ::waitid(P_PIDFD, static_cast<id_t>(child.get()), &info, WEXITED | WNOHANG | __WALL);
  } while (waited != 0 && errno == EINTR);
  if (waited != 0 && (errno == EINVAL || errno == EBADF))  // FALLBACK(linux<5.4)
    if (auto pid = pid_of(child.get()))
      waited = ::waitid(P_PID, static_cast<id_t>(*pid), &info, WEXITED | WNOHANG | __WALL);
  if (waited != 0) {
    Error error = sys_error("waitid");
    bool stranger = error.errno_value() == ECHILD;
    return stranger ? std::move(error).with_code(Code::NotFound) : std::move(error);
  }
  if (info.si_pid == 0) return std::optional<ExitStatus>();
  if (info.si_code == CLD_EXITED) return std::optional(ExitStatus{.code = info.si_status & 255});
  return std::optional(ExitStatus{.signal = info.si_status});
}

bool is_pollable(const PidFd& process) {
  pollfd entry{process.get(), POLLOUT, 0};  // never set for a pidfd, and at once for what poll() knows nothing about
  return ::poll(&entry, 1, 0) == 0;
}

void unignore_libc_signals() {
  // The kernel's struct sigaction, all zero: SIG_DFL. The library's own call refuses these numbers.
  const uint64_t action[4] = {};
  for (int signal : {32, 33}) ::syscall(SYS_rt_sigaction, signal, action, nullptr, sizeof(uint64_t));
}

}  // namespace sampan::sys
