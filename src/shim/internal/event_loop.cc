#include "shim/internal/event_loop.h"

#include <cerrno>

#include "sys/error.h"

namespace sampan::shim {

Result<EventLoop> EventLoop::open() {
  sys::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return sys::sys_error("epoll_create1");
  return EventLoop(std::move(epoll));
}

bool EventLoop::step(int timeout_ms) {
  epoll_event event{};
  if (::epoll_wait(epoll_.get(), &event, 1, timeout_ms) != 1) return false;
  static_cast<Handler*>(event.data.ptr)->on_ready(event.events);
  return true;
}

void Watch::set(const EventLoop& loop, int fd, uint32_t events, Handler& handler) {
  if (events == 0) return reset();
  if (fd == fd_ && events == events_) return;
  if (fd_ >= 0 && fd != fd_) reset();
  epoll_event event{.events = events, .data = {.ptr = &handler}};
  // It fails only when memory is out (or on a plain file, which is always ready and never watched here).
  (void)::epoll_ctl(loop.fd(), fd_ < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
  epoll_ = loop.fd();
  fd_ = fd;
  events_ = events;
}

void Watch::reset() {
  if (fd_ >= 0) (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd_, nullptr);
  fd_ = -1;
  events_ = 0;
}

}  // namespace sampan::shim
