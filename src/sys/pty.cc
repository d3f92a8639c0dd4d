#include "sys/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys/error.h"

namespace sampan::sys {

Result<Fd> open_pty_slave(int master) {
  int fd = ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return sys_error("ioctl TIOCGPTPEER");
  return Fd(fd);
}

Result<void> unlock_pty(int master) {
  int unlocked = 0;
  if (::ioctl(master, TIOCSPTLCK, &unlocked) < 0) return sys_error("ioctl TIOCSPTLCK");
  return {};
}

Result<void> set_window_size(int terminal, WindowSize size) {
  winsize value = {size.rows, size.columns, 0, 0};
  if (::ioctl(terminal, TIOCSWINSZ, &value) < 0) return sys_error("ioctl TIOCSWINSZ");
  return {};
}

Result<void> set_controlling_terminal(int terminal) {
  if (::ioctl(terminal, TIOCSCTTY, 0) < 0) return sys_error("ioctl TIOCSCTTY");
  return {};
}

bool is_character_device(int fd, unsigned major, unsigned minor) {
  struct stat info;
  return ::fstatat(fd, "", &info, AT_EMPTY_PATH) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(major, minor);
}

Result<void> start_session() {
  if (::setsid() < 0) return sys_error("setsid");
  return {};
}

}  // namespace sampan::sys
