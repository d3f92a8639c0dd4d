#include "engine/internal/waiters.h"

namespace sampan::engine {

std::shared_ptr<void> Waiters::add(const std::string& id, bool removal, std::function<void(WaitResult)> done) {
  auto waiter = std::make_shared<Waiter>(removal, std::move(done));
  std::lock_guard lock(mutex_);
  for (auto [it, end] = waiting_.equal_range(id); it != end;) {  // those who left make room
    it = it->second.expired() ? waiting_.erase(it) : std::next(it);
  }
  waiting_.emplace(id, waiter);
  return waiter;
}

void Waiters::notify(const std::string& id, bool removal, const WaitResult& result) {
  std::vector<std::shared_ptr<Waiter>> due;
  {
    std::lock_guard lock(mutex_);
    for (auto [it, end] = waiting_.equal_range(id); it != end;) {
      auto waiter = it->second.lock();
      bool now = waiter && waiter->removal == removal;
      if (now) due.push_back(waiter);
      it = now || !waiter ? waiting_.erase(it) : std::next(it);
    }
  }
  for (const auto& waiter : due) waiter->done(result);
}

void Waiters::notify_exit(const std::string& id, const WaitResult& result) {
  notify(id, false, result);
}

void Waiters::notify_removed(const std::string& id, const std::string& name, const WaitResult& result) {
  {
    constexpr size_t kMost = 4096;
    auto now = std::chrono::steady_clock::now();
    std::lock_guard lock(mutex_);
    std::erase_if(removed_, [&](const Tombstone& stone) { return stone.until < now; });
    if (removed_.size() >= kMost) removed_.erase(removed_.begin());
    removed_.push_back({id, name, result, now + std::chrono::seconds(60)});
  }
  notify(id, true, result);
  // A wait for the next exit of a container that is removed without one would never end.
  notify(id, false, result);
}

std::optional<WaitResult> Waiters::find_removed(const std::string& id_or_name) {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  for (auto it = removed_.rbegin(); it != removed_.rend(); ++it) {
    if (it->until >= now && (it->id == id_or_name || it->name == id_or_name)) return it->result;
  }
  return std::nullopt;
}

}  // namespace sampan::engine
