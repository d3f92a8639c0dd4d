#pragma once
// snapshot/trash: deletion in two steps: a rename that is done at once and survives a crash, and the work behind it.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"

namespace sampan::snapshot {

/// Threads: any. The destructor finishes what was thrown away.
class Trash {
 public:
  /// `directory` is made when missing; it must be on the filesystem of what is thrown in.
  explicit Trash(std::string directory) : directory_(std::move(directory)) {}
  ~Trash();
  Trash(const Trash&) = delete;
  Trash& operator=(const Trash&) = delete;

  /// Queues what an earlier run left.
  Result<void> resume();
  /// Moves the path away and returns; a missing path is success.
  Result<void> take(const std::string& path);

 private:
  void enqueue(std::string path);
  void run();

  std::string directory_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> queue_;
  unsigned long next_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sampan::snapshot
