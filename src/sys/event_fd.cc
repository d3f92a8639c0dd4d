#include "sys/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "sys/error.h"

namespace sampan::sys {

Result<Fd> make_event_fd() {
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return sys_error("eventfd");
  return event;
}

Result<uint64_t> take_event_count(int fd) {
  uint64_t count = 0;
  for (;;) {
    if (::read(fd, &count, sizeof count) == sizeof count) return count;
    if (errno == EAGAIN) return uint64_t{0};
    if (errno != EINTR) return sys_error("read eventfd");
  }
}

}  // namespace sampan::sys
