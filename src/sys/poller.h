#pragma once
// sys/poller: epoll(7) and an eventfd to wake it, for a thread that waits on many descriptors.
//
// Threads: add(), remove() and wake() from any; wait() from one.

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

class Poller {
 public:
  static Result<Poller> open();

  /// Reports `key` while `fd` is readable or closed (level-triggered). Key 0 is taken.
  Result<void> add(int fd, uint64_t key);
  /// Call it before the descriptor is closed.
  void remove(int fd);
  /// Makes wait() return early, now or at its next call.
  void wake();
  /// The keys that are ready; empty after the timeout (nullopt: none) or wake().
  Result<std::vector<uint64_t>> wait(std::optional<std::chrono::milliseconds> timeout);

 private:
  Poller(Fd epoll, Fd event) : epoll_(std::move(epoll)), event_(std::move(event)) {}
  Fd epoll_, event_;
};

}  // namespace sampan::sys
