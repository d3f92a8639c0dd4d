#pragma once
// Progress lines from several threads to one sink, byte counts thinned out.

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "image/image.h"

namespace sampan::image {

/// Threads: any; the sink is called by one at a time.
class Reporter {
 public:
  explicit Reporter(const ProgressSink& sink) : sink_(sink) {}

  void line(ProgressLine line) {
    std::lock_guard lock(mutex_);
    if (sink_) sink_(line);
  }
  void status(const std::string& id, const std::string& status) { line({.id = id, .status = status}); }
  /// At most ten a second for one id and status, and always the last.
  void bytes(const std::string& id, const std::string& status, int64_t current, int64_t total) {
    std::lock_guard lock(mutex_);
    auto now = std::chrono::steady_clock::now();
    auto& last = last_[id + status];
    if (current < total && now - last < std::chrono::milliseconds(100)) return;
    last = now;
    if (sink_) sink_({.id = id, .status = status, .current = current, .total = total});
  }

 private:
  const ProgressSink& sink_;
  std::mutex mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point> last_;
};

}  // namespace sampan::image
