#include "logger/internal/queue.h"

namespace sampan::logger {

namespace {
constexpr size_t kBatch = 64 << 10;
}

void EntryQueue::put(logs::ForwardedEntry entry) {
  std::unique_lock lock(mutex_);
  size_t bytes = cost(entry);
  auto drops = [&] { return absent_ || when_full_ == WhenFull::Drop; };
  changed_.wait(lock, [&] { return !full(bytes) || drops(); });
  if (full(bytes)) {
    ++dropped_;
    return;
  }
  bytes_ += bytes;
  entries_.push_back(std::move(entry));
  changed_.notify_all();
}

void EntryQueue::end() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

std::vector<logs::ForwardedEntry> EntryQueue::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || !entries_.empty(); });
  std::vector<logs::ForwardedEntry> out;
  size_t taken = 0;
  while (!entries_.empty() && taken < kBatch) {
    taken += cost(entries_.front());
    out.push_back(std::move(entries_.front()));
    entries_.pop_front();
  }
  bytes_ -= taken;
  changed_.notify_all();
  return out;
}

void EntryQueue::set_absent(bool absent) {
  std::lock_guard lock(mutex_);
  absent_ = absent;
  changed_.notify_all();
}

void EntryQueue::pause(std::chrono::milliseconds delay) {
  std::unique_lock lock(mutex_);
  bool was_ended = ended_;
  changed_.wait_for(lock, delay, [&] { return ended_ != was_ended; });
}

uint64_t EntryQueue::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace sampan::logger
