#pragma once
// sys/pty: pseudo-terminals made from a given devpts, never by name through an attacker's /dev.
// Source: pty(7), ioctl_tty(2) TIOCGPTPEER.

#include <cstdint>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// The slave of a master, opened without any path lookup. O_NOCTTY.
Result<Fd> open_pty_slave(int master);
Result<void> unlock_pty(int master);
struct WindowSize {
  uint16_t rows = 0, columns = 0;
};
Result<void> set_window_size(int terminal, WindowSize size);
/// Makes the terminal the controlling one of the caller, a fresh session leader.
Result<void> set_controlling_terminal(int terminal);
/// True for a character device with the numbers.
bool is_character_device(int fd, unsigned major, unsigned minor);
/// Makes new sessions: setsid(2).
Result<void> start_session();

}  // namespace sampan::sys
