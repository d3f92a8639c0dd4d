#include "cli/stream/signals.h"

#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "sys/error.h"

namespace sampan::cli {

Result<SignalWatch> SignalWatch::make() {
  sigset_t watched, before;
  ::sigemptyset(&watched);
  for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH}) {
    ::sigaddset(&watched, signal);
  }
  if (::sigprocmask(SIG_BLOCK, &watched, &before) < 0) return sys::sys_error("sigprocmask");
  sys::Fd fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return sys::sys_error("signalfd");
  return SignalWatch(std::move(fd), before);
}

std::optional<int> SignalWatch::next() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void SignalWatch::release() {
  if (!fd_.valid()) return;
  fd_.reset();
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? name : std::to_string(signal);
}

void die_by_signal(int signal) {
  ::signal(signal, SIG_DFL);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, signal);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);
}

}  // namespace sampan::cli
