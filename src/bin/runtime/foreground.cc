// A container in the foreground: its terminal is relayed to ours, signals go to it, its exit is ours.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/packet.h"
#include "sys/process.h"
#include "sys/pty.h"

namespace sampan::bin {
namespace {

/// Our own terminal in raw mode while it lives.
class RawTerminal {
 public:
  RawTerminal() {
    active_ = ::isatty(0) && ::tcgetattr(0, &before_) == 0;
    if (!active_) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(0, TCSANOW, &raw);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (active_) ::tcsetattr(0, TCSANOW, &before_);
  }

 private:
  bool active_ = false;
  termios before_;
};

void copy_window_size(int master) {
  winsize size;
  if (::ioctl(0, TIOCGWINSZ, &size) == 0) (void)sys::set_window_size(master, {size.ws_row, size.ws_col});
}

/// False when the source has ended.
bool copy_some(int from, int to) {
  char buffer[16384];
  auto n = sys::read_some(from, buffer);
  return n && *n > 0 && sys::write_all(to, std::string_view(buffer, *n)).has_value();
}

void forward_signal(int signals, const runtime::Process& process) {
  signalfd_siginfo info;
  if (::read(signals, &info, sizeof info) != sizeof info) return;
  int signal = static_cast<int>(info.ssi_signo);
  if (signal == SIGWINCH && process.console.valid())
    copy_window_size(process.console.get());
  else if (signal != SIGCHLD && signal != SIGURG && signal != SIGWINCH)
    (void)sys::send_signal(process.pidfd, signal);
}

}  // namespace

void hold_signals() {
  sigset_t all;
  ::sigfillset(&all);
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) ::sigdelset(&all, signal);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
}

Result<int> attend(runtime::Process& process) {
  sigset_t all;
  ::sigfillset(&all);
  sys::Fd signals(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return sys::sys_error("signalfd");
  std::optional<RawTerminal> raw;
  if (process.console.valid()) {
    copy_window_size(process.console.get());
    raw.emplace();
  }
  pollfd entries[] = {{signals.get(), POLLIN, 0},
                      {process.pidfd.get(), POLLIN, 0},
                      {process.console.valid() ? process.console.get() : -1, POLLIN, 0},
                      {process.console.valid() ? 0 : -1, POLLIN, 0}};
  while (!(entries[1].revents & POLLIN)) {
    if (::poll(entries, std::size(entries), -1) < 0 && errno != EINTR) return sys::sys_error("poll");
    if (entries[0].revents & POLLIN) forward_signal(signals.get(), process);
    if (entries[2].revents && !copy_some(process.console.get(), 1)) entries[2].fd = -1;
    if (entries[3].revents && !copy_some(0, process.console.get())) entries[3].fd = -1;
  }
  while (entries[2].fd >= 0) {  // what it wrote before it went
    pollfd last{process.console.get(), POLLIN, 0};
    if (::poll(&last, 1, 0) <= 0 || !copy_some(process.console.get(), 1)) break;
  }
  return TRY(sys::reap(process.pid)).shell_code();
}

Result<void> send_console(const std::string& socket_path, int master) {
  sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    return fail(Code::InvalidArgument, "console socket path is too long");
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
    return sys::sys_error("connect", socket_path);
  int fds[] = {master};
  return sys::send_packet(socket.get(), "/dev/ptmx", fds);
}

Result<int> parse_signal(const std::string& text) {
  if (auto number = parse_int(text)) {
    if (*number > 0 && *number < NSIG) return static_cast<int>(*number);
    return fail(Code::InvalidArgument, "unknown signal \"{}\"", text);
  }
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name = name.substr(3);
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known && name == known) return signal;
  }
  if (name.starts_with("RTMIN")) {
    auto offset = name.size() == 5 ? 0 : parse_int(name[5] == '+' ? name.substr(6) : name.substr(5)).value_or(-1);
    if (offset >= 0 && SIGRTMIN + offset <= SIGRTMAX) return static_cast<int>(SIGRTMIN + offset);
  }
  return fail(Code::InvalidArgument, "unknown signal \"{}\"", text);
}

}  // namespace sampan::bin
