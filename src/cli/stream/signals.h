#pragma once
// cli/stream/signals: signals as a descriptor, so that one poll loop sees them between two pieces of output and the
// terminal is always restored before the program dies.

#include <signal.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::cli {

class SignalWatch {
 public:
  /// Blocks SIGWINCH, and every signal that would end the program and that can be passed on, and makes them readable.
  static Result<SignalWatch> make();
  int fd() const { return fd_.get(); }
  /// The next pending signal.
  std::optional<int> next();
  /// Restores the signal mask, without the watch being destroyed.
  void release();
  SignalWatch(SignalWatch&&) = default;
  ~SignalWatch() { release(); }

 private:
  SignalWatch(sys::Fd fd, const sigset_t& before) : fd_(std::move(fd)), before_(before) {}
  sys::Fd fd_;
  sigset_t before_{};
};

/// "INT" for SIGINT, the number for signals without a name.
std::string signal_name(int signal);
/// Ends this program by the signal, as if it had never been caught.
[[noreturn]] void die_by_signal(int signal);

}  // namespace sampan::cli
