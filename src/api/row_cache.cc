#include "api/internal/row_cache.h"

#include <algorithm>

namespace sampan::api {

bool RowCache::append_row(std::string& out, const container::ContainerSnapshot& record, const RowKey& key) {
  std::lock_guard lock(mutex_);
  auto it = rows_.find(record->id);
  if (it == rows_.end()) return false;
  const Row& row = it->second;
  // By owner, not by address: another record may stand where one that has gone stood.
  bool same = !row.record.owner_before(record) && !record.owner_before(row.record);
  if (!same || row.key != key) return false;
  out += row.text;
  return true;
}

void RowCache::keep(const container::ContainerSnapshot& record, RowKey key, std::string text) {
  std::lock_guard lock(mutex_);
  if (rows_.size() >= sweep_at_) {
    std::erase_if(rows_, [](const auto& item) { return item.second.record.expired(); });
    sweep_at_ = std::max<size_t>(64, 2 * rows_.size());
  }
  text.shrink_to_fit();
  rows_[record->id] = {record, std::move(key), std::move(text)};
}

}  // namespace sampan::api
