#pragma once
// shim/event_loop: epoll for one thread. A handler runs for one descriptor at a time, so it may destroy any other
// handler, and its own watch, without anybody holding a stale pointer.

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::shim {

using Clock = std::chrono::steady_clock;

class Handler {
 public:
  virtual void on_ready(uint32_t events) = 0;

 protected:
  ~Handler() = default;
};

class EventLoop {
 public:
  static Result<EventLoop> open();
  /// Runs one handler; false when nothing happened within `timeout` (-1: for ever).
  bool step(int timeout_ms);
  int fd() const { return epoll_.get(); }

 private:
  explicit EventLoop(sys::Fd epoll) : epoll_(std::move(epoll)) {}
  sys::Fd epoll_;
};

/// One descriptor's place in the loop. Reset it before the descriptor is closed.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { reset(); }
  /// Adds the descriptor or changes what it waits for. No events at all takes it out of the loop, hang-ups included:
  /// they are reported for ever otherwise.
  void set(const EventLoop& loop, int fd, uint32_t events, Handler& handler);
  void reset();

 private:
  int epoll_ = -1, fd_ = -1;
  uint32_t events_ = 0;
};

}  // namespace sampan::shim
