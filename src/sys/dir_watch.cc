#include "sys/dir_watch.h"

#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sys/error.h"

namespace sampan::sys {

Result<Fd> watch_directory(const std::string& dir) {
  Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  constexpr uint32_t kEvents = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
  if (watch.valid() && ::inotify_add_watch(watch.get(), dir.c_str(), kEvents) >= 0) return watch;
  // FALLBACK(fs.inotify.max_user_instances is 128 on many hosts): poll.
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return sys_error("timerfd_create");
  itimerspec interval{};
  interval.it_interval.tv_nsec = interval.it_value.tv_nsec = 200'000'000;
  if (::timerfd_settime(timer.get(), 0, &interval, nullptr) != 0) return sys_error("timerfd_settime");
  return timer;
}

Result<Fd> watch_files(std::span<const std::string> files) {
  Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch.valid()) return sys_error("inotify_init1");
  for (const auto& file : files)
    if (::inotify_add_watch(watch.get(), file.c_str(), IN_MODIFY | IN_DELETE_SELF) < 0)
      return sys_error("inotify_add_watch", file);
  return watch;
}

void drain_watch(int fd) {
  alignas(inotify_event) char buffer[4096];
  while (::read(fd, buffer, sizeof buffer) > 0) {
  }
}

}  // namespace sampan::sys
