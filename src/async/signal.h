#pragma once
// async/signal: wakes one coroutine from any thread. The bridge between the engine's callbacks and the event loop.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

#include "async/async.h"

namespace sampan::async {

/// A sticky flag that one coroutine waits for: set() before wait() is not lost, many set() are one wake.
/// Copies share the flag; a copy in a callback may outlive the coroutine. wait() only on the loop's one thread.
class Signal {
 public:
  explicit Signal(asio::any_io_executor loop);
  /// Threads: any. Never blocks.
  void set() const;
  /// The same as a callback.
  std::function<void()> setter() const {
    return [copy = *this] { copy.set(); };
  }
  /// Returns when the flag is set and clears it.
  Task<void> wait() const;
  /// False when the deadline came first.
  Task<bool> wait_until(std::chrono::steady_clock::time_point deadline) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sampan::async
