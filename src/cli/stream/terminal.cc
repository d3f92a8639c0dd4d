#include "cli/stream/terminal.h"

#include <sys/ioctl.h>

#include <utility>

#include "sys/error.h"

namespace sampan::cli {

std::optional<WindowSize> window_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) < 0 || (size.ws_row == 0 && size.ws_col == 0)) return std::nullopt;
  return WindowSize{size.ws_row, size.ws_col};
}

Result<RawTerminal> RawTerminal::enter(int fd) {
  termios before{};
  if (::tcgetattr(fd, &before) < 0) return sys::sys_error("tcgetattr");
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSANOW, &raw) < 0) return sys::sys_error("tcsetattr");
  return RawTerminal(fd, before);
}

RawTerminal::RawTerminal(RawTerminal&& other) noexcept : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}

void RawTerminal::restore() {
  if (fd_ >= 0) (void)::tcsetattr(std::exchange(fd_, -1), TCSANOW, &before_);  // the terminal may be gone
}

}  // namespace sampan::cli
