#pragma once
// async/pool: the threads that run the blocking core for the event loop.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

namespace sampan::async {

/// A bounded set of threads for blocking work, grown on demand: an idle daemon keeps one of them. Work past the bound
/// waits its turn, oldest first. Threads: any.
class Pool {
 public:
  using Work = std::move_only_function<void()>;

  /// `name` (at most 15 bytes) is what `top -H` shows.
  Pool(std::string name, size_t max_threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Never blocks. The work must not throw.
  void post(Work work);
  /// Runs what is queued, then ends every thread. Work that is posted later is dropped.
  /// Blocks:  until the last piece of work returns.
  void join();

 private:
  void start_thread();
  void run();

  const std::string name_;
  const size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable wake_, ended_;
  std::deque<Work> queue_;
  size_t threads_ = 0, idle_ = 0;
  bool closing_ = false;
};

}  // namespace sampan::async
