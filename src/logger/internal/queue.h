#pragma once
// logger/queue: what waits for the server, bounded in bytes.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "logs/forward.h"

namespace sampan::logger {

/// Threads: one puts, one takes.
class EntryQueue {
 public:
  enum class WhenFull { Wait, Drop };
  EntryQueue(size_t limit, WhenFull when_full) : limit_(limit), when_full_(when_full) {}

  /// Blocks:  while the queue is full, if it is to wait. One entry always fits into an empty queue.
  void put(logs::ForwardedEntry entry);
  /// Nothing more comes.
  void end();
  /// The oldest entries, some 64 KiB of them. Blocks until there is one; empty: the end.
  std::vector<logs::ForwardedEntry> take();
  /// While there is no server, a full queue drops in either mode.
  void set_absent(bool absent);
  /// Waits, but not over the end of the log: then there is little time left, and every moment is as good.
  void pause(std::chrono::milliseconds delay);
  uint64_t dropped() const;

 private:
  static size_t cost(const logs::ForwardedEntry& entry) { return entry.text.size() + sizeof entry; }
  bool full(size_t more) const { return !entries_.empty() && bytes_ + more > limit_; }

  const size_t limit_;
  const WhenFull when_full_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<logs::ForwardedEntry> entries_;
  size_t bytes_ = 0;
  uint64_t dropped_ = 0;
  bool ended_ = false, absent_ = false;
};

}  // namespace sampan::logger
