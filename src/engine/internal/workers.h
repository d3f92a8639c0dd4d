#pragma once
// engine/internal/workers: threads that run posted jobs; jobs with one key run one after the other, in order.
//
// Threads appear when a job finds none idle (up to a limit) and go after ten idle seconds. One stays: the end of a
// container is heard also when the host has no thread to spare.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace sampan::engine {

class Workers {
 public:
  explicit Workers(size_t most_threads);
  ~Workers() { stop(); }
  void post(const std::string& key, std::function<void()> job);
  /// Waits for the jobs that run, drops those that wait.
  void stop();

 private:
  void spawn();
  void run();
  void run_key(std::unique_lock<std::mutex>& lock, const std::string& key);

  const size_t most_threads_;
  std::mutex mutex_;
  std::condition_variable work_, gone_;
  std::unordered_map<std::string, std::deque<std::function<void()>>> jobs_;  // a key is here while it is queued or runs
  std::deque<std::string> ready_;
  size_t threads_ = 0, idle_ = 0;
  bool stopping_ = false;
};

}  // namespace sampan::engine
