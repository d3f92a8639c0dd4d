// Waiting and watching: callbacks, no threads.

#include "engine/internal/core.h"

namespace sampan::engine {

Result<std::shared_ptr<void>> Core::wait_container(const std::string& name, WaitCondition condition,
                                                   std::function<void(WaitResult)> done) {
  auto found = containers_.get(name);
  if (!found) {
    auto result = waiters_.find_removed(name.starts_with('/') ? name.substr(1) : name);
    if (!result) return std::move(found).error();
    done(*result);
    return std::make_shared<int>(0);
  }
  const std::string id = found->record->id;
  // Armed first and checked afterwards: an exit in between calls the waiter, and only one of the two calls is passed
  // on.
  auto once = [called = std::make_shared<std::atomic<bool>>(false), done = std::move(done)](WaitResult result) {
    if (!called->exchange(true)) done(std::move(result));
  };
  auto handle = waiters_.add(id, condition == WaitCondition::Removed, once);
  auto record = containers_.record(id);
  if (!record) {
    once(waiters_.find_removed(id).value_or(WaitResult{}));
  } else if (condition == WaitCondition::NotRunning && !record->state.running()) {
    once({record->state.exit_code, record->state.error});
  }
  return handle;
}

std::shared_ptr<void> Core::watch_containers(std::function<void(const std::string& id)> changed) {
  return containers_.watch(std::move(changed));
}

}  // namespace sampan::engine
