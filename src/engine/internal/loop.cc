#include "engine/internal/loop.h"

#include <pthread.h>
#include <csignal>

namespace sampan::engine {

Result<std::unique_ptr<Loop>> Loop::start() {
  std::unique_ptr<Loop> loop(new Loop(TRY(sys::Poller::open())));
  loop->thread_ = std::thread([raw = loop.get()] { raw->run(); });
  pthread_setname_np(loop->thread_.native_handle(), "supervisor");
  return loop;
}

Loop::~Loop() {
  stop();
}

void Loop::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  poller_.wake();
  if (thread_.joinable()) thread_.join();
}

Result<Loop::Token> Loop::add(int fd, std::function<bool()> ready, bool once) {
  std::lock_guard lock(mutex_);
  Token token = next_token_++;
  watches_[token] = {fd, std::make_shared<const std::function<bool()>>(std::move(ready)), once};
  auto added = poller_.add(fd, token);
  if (!added) {
    watches_.erase(token);
    return std::move(added).error();
  }
  return token;
}

Result<Loop::Token> Loop::watch(int fd, std::function<bool()> ready) {
  return add(fd, std::move(ready), false);
}

Result<Loop::Token> Loop::watch_once(int fd, std::function<void()> ready) {
  return add(
      fd,
      [ready = std::move(ready)] {
        ready();
        return true;
      },
      true);
}

/// The callback of a watch that is still wanted.
std::shared_ptr<const std::function<bool()>> Loop::take_ready(Token token) {
  std::lock_guard lock(mutex_);
  auto it = watches_.find(token);
  if (stopping_ || it == watches_.end()) return nullptr;
  auto ready = it->second.ready;
  if (it->second.once) {
    poller_.remove(it->second.fd);
    watches_.erase(it);
  }
  return ready;
}

Loop::Token Loop::after(std::chrono::milliseconds delay, std::function<void()> fire) {
  Token token;
  {
    std::lock_guard lock(mutex_);
    token = next_token_++;
    timers_.emplace(Clock::now() + delay, Timer{token, std::move(fire)});
  }
  poller_.wake();
  return token;
}

void Loop::cancel(Token token) {
  if (token == 0) return;
  std::function<void()> dropped_timer;  // destroyed outside the lock: it may own anything
  std::shared_ptr<const std::function<bool()>> dropped_watch;
  std::lock_guard lock(mutex_);
  if (auto it = watches_.find(token); it != watches_.end()) {
    poller_.remove(it->second.fd);
    dropped_watch = std::move(it->second.ready);
    watches_.erase(it);
    return;
  }
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->second.token != token) continue;
    dropped_timer = std::move(it->second.fire);
    timers_.erase(it);
    return;
  }
}

std::optional<std::chrono::milliseconds> Loop::time_to_next() {
  std::lock_guard lock(mutex_);
  if (timers_.empty()) return std::nullopt;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

void Loop::fire_due() {
  for (;;) {
    std::function<void()> fire;
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || timers_.empty() || timers_.begin()->first > Clock::now()) return;
      fire = std::move(timers_.begin()->second.fire);
      timers_.erase(timers_.begin());
    }
    fire();
  }
}

void Loop::run() {
  for (;;) {
    auto keys = poller_.wait(time_to_next());
    if (!keys) return;  // only a broken epoll descriptor gets here: nothing is left to wait on
    for (uint64_t key : *keys) {
      auto ready = take_ready(key);
      if (ready && !(*ready)()) cancel(key);
    }
    fire_due();
    std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
}

}  // namespace sampan::engine
