#include "sys/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "sys/error.h"

namespace sampan::sys {

Result<Poller> Poller::open() {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return sys_error("epoll_create1");
  Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return sys_error("eventfd");
  Poller poller(std::move(epoll), std::move(event));
  TRY(poller.add(poller.event_.get(), 0));
  return poller;
}

Result<void> Poller::add(int fd, uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return sys_error("epoll_ctl");
  return {};
}

void Poller::remove(int fd) {
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}  // gone already is fine

void Poller::wake() {
  uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof one);  // a full counter wakes as well
}

Result<std::vector<uint64_t>> Poller::wait(std::optional<std::chrono::milliseconds> timeout) {
  int limit = -1;
  if (timeout) limit = static_cast<int>(std::clamp<int64_t>(timeout->count(), 0, INT_MAX));
  std::array<epoll_event, 64> events;
  int n = ::epoll_wait(epoll_.get(), events.data(), events.size(), limit);
  if (n < 0 && errno != EINTR) return sys_error("epoll_wait");
  std::vector<uint64_t> keys;
  for (int i = 0; i < n; ++i) {
    if (events[i].data.u64 != 0) {
      keys.push_back(events[i].data.u64);
      continue;
    }
    uint64_t count;
    (void)!::read(event_.get(), &count, sizeof count);  // only empties the counter
  }
  return keys;
}

}  // namespace sampan::sys
