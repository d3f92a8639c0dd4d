#include "network/internal/event_loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <future>

#include "sys/error.h"

namespace sampan::network {

namespace {
constexpr auto kTick = std::chrono::milliseconds(200);
// epoll's 64 bits of user data: the descriptor below, a token above, so that a closed and reused number is noticed.
uint64_t pack(int fd, uint64_t token) {
  return token << 32 | static_cast<uint32_t>(fd);
}
}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::start() {
  sys::Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return sys::sys_error("epoll_create1");
  sys::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return sys::sys_error("eventfd");
  epoll_event event{EPOLLIN, {.u64 = pack(wake.get(), 0)}};
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) < 0) return sys::sys_error("epoll_ctl");
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wake)));
  // Signals belong to the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    loop->thread_ = std::thread([raw = loop.get()] { raw->loop(); });
  } catch (const std::system_error& error) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return sys::sys_error_of(error.code().value(), "pthread_create");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return loop;
}

EventLoop::~EventLoop() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void EventLoop::wake() {
  uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);  // full means that it will wake anyway
}

void EventLoop::post(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  wake();
}

void EventLoop::run(const std::function<void()>& work) {
  std::promise<void> done;
  post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

bool EventLoop::watch(int fd, uint32_t events, Callback callback) {
  uint64_t token = next_token_++ & 0xffffffff;
  epoll_event event{events, {.u64 = pack(fd, token)}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) return false;
  watches_[fd] = {token, std::make_shared<Callback>(std::move(callback))};
  return true;
}

void EventLoop::change(int fd, uint32_t events) {
  auto found = watches_.find(fd);
  if (found == watches_.end()) return;
  epoll_event event{events, {.u64 = pack(fd, found->second.token)}};
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);  // a watched descriptor is always there
}

void EventLoop::forget(int fd) {
  if (watches_.erase(fd)) (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::add_timer(const void* owner, std::function<bool()> wanted, std::function<void()> tick) {
  timers_.push_back({owner, std::move(wanted), std::move(tick)});
}

void EventLoop::remove_timers(const void* owner) {
  std::erase_if(timers_, [owner](const Timer& timer) { return timer.owner == owner; });
}

void EventLoop::run_posted() {
  uint64_t count;
  (void)!::read(wake_.get(), &count, sizeof count);
  std::vector<std::function<void()>> work;
  {
    std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) item();
}

void EventLoop::run_timers() {
  for (auto& timer : timers_) {
    if (timer.wanted()) timer.tick();
  }
}

void EventLoop::loop() {
  auto last_tick = std::chrono::steady_clock::now();
  std::array<epoll_event, 64> events;
  while (!stopping_) {
    bool ticking = std::ranges::any_of(timers_, [](const Timer& timer) { return timer.wanted(); });
    int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                             ticking ? static_cast<int>(kTick.count()) : -1);
    for (int i = 0; i < count; ++i) {
      uint64_t data = events[i].data.u64;
      int fd = static_cast<int>(data & 0xffffffff);
      if (fd == wake_.get()) {
        run_posted();
        continue;
      }
      auto found = watches_.find(fd);
      if (found == watches_.end() || found->second.token != data >> 32) continue;
      auto callback = found->second.callback;  // keeps it alive while it forgets itself
      (*callback)(events[i].events);
    }
    auto now = std::chrono::steady_clock::now();
    if (ticking && now - last_tick >= kTick) {
      last_tick = now;
      run_timers();
    }
  }
  run_posted();
}

}  // namespace sampan::network
