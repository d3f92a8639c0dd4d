#include "sys/lock_file.h"

#include <fcntl.h>

#include <cerrno>

#include "sys/error.h"
#include "sys/file.h"

// glibc declares it in <sys/file.h>, a name that our own sys/file.h shadows.
extern "C" int flock(int fd, int operation) noexcept;

namespace sampan::sys {

Result<Fd> lock_file(const std::string& path) {
  auto fd = TRY(open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return fail(Code::Conflict, "{} is locked: another daemon uses this directory", path);
  return sys_error("flock", path);
}

}  // namespace sampan::sys
