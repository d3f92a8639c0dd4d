#pragma once
// cli/stream/terminal: the terminal's raw mode and size.

#include <termios.h>

#include <optional>

#include "base/result.h"

namespace sampan::cli {

struct WindowSize {
  unsigned rows = 0, columns = 0;
};
std::optional<WindowSize> window_size(int fd);

/// Raw mode for as long as it lives. Move-only resource; restore() may be called early, e.g. before dying of a signal.
class RawTerminal {
 public:
  static Result<RawTerminal> enter(int fd);
  RawTerminal(RawTerminal&& other) noexcept;
  RawTerminal& operator=(RawTerminal&&) = delete;
  ~RawTerminal() { restore(); }
  void restore();

 private:
  RawTerminal(int fd, const termios& before) : fd_(fd), before_(before) {}
  int fd_ = -1;
  termios before_{};
};

}  // namespace sampan::cli
