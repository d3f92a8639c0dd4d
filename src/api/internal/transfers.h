#pragma once
// api/internal/transfers: who holds one of the transfers' threads without moving a byte.
//
// A transfer (save, export, load, build) blocks its thread while its client does not read, or sends nothing. That may
// take as long as it likes, until another transfer waits for a thread: then those that have stood still longest, and
// longer than a limit, are cut off, one for each that waits.
//
// Threads: the loop's, but for an entry's moves, which are those of the thread that it holds.

#include <atomic>
#include <chrono>
#include <functional>
#include <list>
#include <memory>

#include "base/io.h"

namespace sampan::api {

class Transfers {
 public:
  using Clock = std::chrono::steady_clock;

  class Entry {
   public:
    explicit Entry(std::function<void()> cut) : cut_(std::move(cut)) {}
    /// Around a call that waits for the client.
    class Waiting {
     public:
      explicit Waiting(Entry& entry) : entry_(entry) { entry_.since_ = Clock::now().time_since_epoch().count(); }
      ~Waiting() { entry_.since_ = 0; }
      Waiting(const Waiting&) = delete;
      Waiting& operator=(const Waiting&) = delete;

     private:
      Entry& entry_;
    };

   private:
    friend class Transfers;
    std::function<void()> cut_;
    std::atomic<Clock::rep> since_ = 0;  // 0: nothing is waited for
    bool is_cut_ = false;
  };

  Transfers(size_t threads, Clock::duration limit) : threads_(threads), limit_(limit) {}

  /// Is in the list as long as it lives.
  class Membership {
   public:
    Membership(std::shared_ptr<Transfers> transfers, std::function<void()> cut)
        : transfers_(std::move(transfers)),
          place_(transfers_->entries_.emplace(transfers_->entries_.end(), std::move(cut))) {}
    ~Membership() { transfers_->entries_.erase(place_); }
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;
    Entry& entry() { return *place_; }

   private:
    std::shared_ptr<Transfers> transfers_;  // a loop that ends may drop the member last
    std::list<Entry>::iterator place_;
  };

  bool is_crowded() const { return entries_.size() > threads_; }
  /// Cuts off whom it must; how many these were.
  size_t relieve(Clock::time_point now);

 private:
  const size_t threads_;
  const Clock::duration limit_;
  std::list<Entry> entries_;
};

/// A body whose reads count as waiting for the client.
class WatchedSource final : public ByteSource {
 public:
  WatchedSource(ByteSource& inner, Transfers::Entry& entry) : inner_(inner), entry_(entry) {}
  Result<size_t> read(std::span<char> buffer) override {
    Transfers::Entry::Waiting waiting(entry_);
    return inner_.read(buffer);
  }

 private:
  ByteSource& inner_;
  Transfers::Entry& entry_;
};

}  // namespace sampan::api
