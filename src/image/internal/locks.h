#pragma once
// One worker per key, and leases on layers that an unfinished operation counts on.

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/cancel.h"

namespace sampan::image {

/// Mutual exclusion by key; whoever waits polls a cancel, so a cancelled waiter leaves and disturbs nobody.
class KeyedLocks {
 public:
  class Held {
   public:
    Held(KeyedLocks& locks, std::string key) : locks_(&locks), key_(std::move(key)) {}
    Held(Held&& other) noexcept : locks_(std::exchange(other.locks_, nullptr)), key_(std::move(other.key_)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (locks_) locks_->release(key_);
    }

   private:
    KeyedLocks* locks_;
    std::string key_;
  };

  Result<Held> acquire(const std::string& key, const Cancel& cancel) {
    std::unique_lock lock(mutex_);
    while (!held_.insert(key).second) {
      TRY(cancel.check());
      changed_.wait_for(lock, std::chrono::milliseconds(100));
    }
    return Held(*this, key);
  }

 private:
  void release(const std::string& key) {
    {
      std::lock_guard lock(mutex_);
      held_.erase(key);
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> held_;
};

/// Counts who counts on a layer that no image refers to yet. Collection leaves leased layers alone.
class Leases {
 public:
  class Lease {
   public:
    Lease(Leases& leases, std::vector<std::string> chains) : leases_(&leases), chains_(std::move(chains)) {}
    Lease(Lease&& other) noexcept : leases_(std::exchange(other.leases_, nullptr)), chains_(std::move(other.chains_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (leases_) leases_->release(chains_);
    }

   private:
    Leases* leases_;
    std::vector<std::string> chains_;
  };

  Lease take(const std::vector<std::string>& chains) {
    std::lock_guard lock(mutex_);
    for (const auto& chain : chains) ++counts_[chain];
    return Lease(*this, chains);
  }
  bool is_leased(const std::string& chain) {
    std::lock_guard lock(mutex_);
    return counts_.contains(chain);
  }

 private:
  void release(const std::vector<std::string>& chains) {
    std::lock_guard lock(mutex_);
    for (const auto& chain : chains) {
      auto found = counts_.find(chain);
      if (found != counts_.end() && --found->second == 0) counts_.erase(found);
    }
  }
  std::mutex mutex_;
  std::map<std::string, int> counts_;
};

}  // namespace sampan::image
