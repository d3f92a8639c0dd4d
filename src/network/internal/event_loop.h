#pragma once
// network/event_loop: one thread that waits for every descriptor of this module: relayed connections and name queries.
//
// Callbacks run on the loop's thread and never block, so what only they touch needs no lock.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::network {

class EventLoop {
 public:
  using Callback = std::function<void(uint32_t events)>;

  static Result<std::unique_ptr<EventLoop>> start();
  ~EventLoop();

  /// Threads: any. Runs `work` on the loop's thread, later.
  void post(std::function<void()> work);
  /// Threads: any but the loop's. The same, and waits until it has run.
  void run(const std::function<void()>& work);

  // The rest is for the loop's own thread.
  /// `events` are EPOLL*; false when the kernel has no room.
  bool watch(int fd, uint32_t events, Callback callback);
  void change(int fd, uint32_t events);
  /// Before the descriptor is closed; no callback comes afterwards, not even one already fetched.
  void forget(int fd);
  /// `tick` runs a few times a second while `wanted` says so, until the owner's timers are removed.
  void add_timer(const void* owner, std::function<bool()> wanted, std::function<void()> tick);
  void remove_timers(const void* owner);

 private:
  EventLoop(sys::Fd epoll, sys::Fd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  void loop();
  void run_posted();
  void run_timers();
  void wake();

  struct Watch {
    uint64_t token;
    std::shared_ptr<Callback> callback;
  };
  struct Timer {
    const void* owner;
    std::function<bool()> wanted;
    std::function<void()> tick;
  };
  sys::Fd epoll_, wake_;
  std::unordered_map<int, Watch> watches_;
  std::vector<Timer> timers_;
  uint64_t next_token_ = 1;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sampan::network
