#include "api/internal/transfers.h"

#include <algorithm>
#include <vector>

namespace sampan::api {

size_t Transfers::relieve(Clock::time_point now) {
  size_t leaving =
      static_cast<size_t>(std::ranges::count_if(entries_, [](const Entry& entry) { return entry.is_cut_; }));
  if (entries_.size() <= threads_ + leaving) return 0;
  size_t wanted = entries_.size() - threads_ - leaving;
  std::vector<std::pair<Clock::rep, Entry*>> stuck;
  for (auto& entry : entries_) {
    Clock::rep since = entry.since_;
    if (since == 0 || entry.is_cut_ || now.time_since_epoch() - Clock::duration(since) < limit_) continue;
    stuck.emplace_back(since, &entry);
  }
  std::ranges::sort(stuck);
  if (stuck.size() > wanted) stuck.resize(wanted);
  for (auto& [since, entry] : stuck) {
    entry->is_cut_ = true;
    entry->cut_();
  }
  return stuck.size();
}

}  // namespace sampan::api
