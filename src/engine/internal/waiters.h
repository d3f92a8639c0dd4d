#pragma once
// engine/internal/waiters: who waits for a container to exit or to be removed. A callback, not a thread, per waiter.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace sampan::engine {

class Waiters {
 public:
  /// Armed when it returns; dropping the handle cancels.
  std::shared_ptr<void> add(const std::string& id, bool removal, std::function<void(WaitResult)> done);
  void notify_exit(const std::string& id, const WaitResult& result);
  /// Also remembers the result for a minute: a client of `run --rm` may ask after the container has gone.
  void notify_removed(const std::string& id, const std::string& name, const WaitResult& result);
  std::optional<WaitResult> find_removed(const std::string& id_or_name);

 private:
  struct Waiter {
    bool removal;
    std::function<void(WaitResult)> done;
  };
  struct Tombstone {
    std::string id, name;
    WaitResult result;
    std::chrono::steady_clock::time_point until;
  };
  void notify(const std::string& id, bool removal, const WaitResult& result);

  std::mutex mutex_;
  std::multimap<std::string, std::weak_ptr<Waiter>> waiting_;
  std::vector<Tombstone> removed_;
};

}  // namespace sampan::engine
