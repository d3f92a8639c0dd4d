#pragma once
// engine/internal/loop: one thread that waits: on the shims' descriptors, on timers. Its callbacks never block and
// never take a container's lock; what takes long is posted to Workers.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/result.h"
#include "sys/poller.h"

namespace sampan::engine {

class Loop {
 public:
  using Token = uint64_t;  // 0: none
  using Clock = std::chrono::steady_clock;

  static Result<std::unique_ptr<Loop>> start();
  ~Loop();
  /// Ends the thread; no callback runs afterwards.
  void stop();

  /// Calls `ready` whenever `fd` is readable or closed, until it returns false. `ready` owns whatever keeps the
  /// descriptor open: a call may still be under way when cancel() returns.
  Result<Token> watch(int fd, std::function<bool()> ready);
  /// The same for one report: it is over before `ready` is called, which may watch the descriptor again at once.
  Result<Token> watch_once(int fd, std::function<void()> ready);
  Token after(std::chrono::milliseconds delay, std::function<void()> fire);
  /// Unknown tokens and 0 are fine.
  void cancel(Token token);

 private:
  struct Watch {
    int fd;
    std::shared_ptr<const std::function<bool()>> ready;
    bool once = false;
  };
  struct Timer {
    Token token;
    std::function<void()> fire;
  };
  explicit Loop(sys::Poller poller) : poller_(std::move(poller)) {}
  Result<Token> add(int fd, std::function<bool()> ready, bool once);
  std::shared_ptr<const std::function<bool()>> take_ready(Token token);
  void run();
  std::optional<std::chrono::milliseconds> time_to_next();
  void fire_due();

  sys::Poller poller_;
  std::mutex mutex_;
  bool stopping_ = false;
  Token next_token_ = 1;
  std::unordered_map<Token, Watch> watches_;
  std::multimap<Clock::time_point, Timer> timers_;
  std::thread thread_;
};

}  // namespace sampan::engine
