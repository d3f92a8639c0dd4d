#include "engine/internal/containers.h"

#include <algorithm>

#include "codec/text.h"

namespace sampan::engine {

Result<Containers::Found> Containers::get(const std::string& name) const {
  std::shared_lock lock(mutex_);
  auto found = [](const Entry& entry) { return Found{entry.cell, entry.record}; };
  if (auto it = entries_.find(name); it != entries_.end()) return found(it->second);
  auto named = names_.find(name.starts_with('/') ? name.substr(1) : name);
  if (named != names_.end()) {
    if (auto it = entries_.find(named->second); it != entries_.end()) return found(it->second);
  }
  auto it = name.empty() ? entries_.end() : entries_.lower_bound(name);
  if (it == entries_.end() || !it->first.starts_with(name)) return fail(Code::NotFound, "No such container: {}", name);
  auto next = std::next(it);
  if (next != entries_.end() && next->first.starts_with(name)) {
    return fail(Code::InvalidArgument, "multiple IDs found with provided prefix: {}", name);
  }
  return found(it->second);
}

ContainerSnapshot Containers::record(const std::string& id) const {
  std::shared_lock lock(mutex_);
  auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : it->second.record;
}

CellPtr Containers::cell(const std::string& id) const {
  std::shared_lock lock(mutex_);
  auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : it->second.cell;
}

std::vector<ContainerSnapshot> Containers::list() const {
  std::vector<std::pair<int64_t, ContainerSnapshot>> sorted;
  {
    std::shared_lock lock(mutex_);
    sorted.reserve(entries_.size());
    for (const auto& [id, entry] : entries_) sorted.emplace_back(entry.created, entry.record);
  }
  std::ranges::sort(sorted, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second->id > b.second->id;
  });
  std::vector<ContainerSnapshot> out;
  out.reserve(sorted.size());
  for (auto& [created, record] : sorted) out.push_back(std::move(record));
  return out;
}

std::vector<ContainerSnapshot> Containers::list_if(const std::function<bool(const ContainerRecord&)>& wanted) const {
  std::vector<ContainerSnapshot> out;
  std::shared_lock lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (wanted(*entry.record)) out.push_back(entry.record);
  }
  return out;
}

Result<void> Containers::reserve_name(const std::string& name, const std::string& id) {
  std::unique_lock lock(mutex_);
  auto [it, fresh] = names_.try_emplace(name, id);
  if (fresh || it->second == id) return {};
  return fail(Code::Conflict,
              "Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to remove (or "
              "rename) that container to be able to reuse that name.",
              name, it->second);
}

void Containers::release_name(const std::string& name, const std::string& id) {
  std::unique_lock lock(mutex_);
  if (auto it = names_.find(name); it != names_.end() && it->second == id) names_.erase(it);
}

CellPtr Containers::insert(ContainerRecord record) {
  std::string id = record.id;
  auto cell = std::make_shared<Cell>(id);
  auto created = codec::parse_rfc3339(record.created);
  int64_t order = created ? created->unix_nanos : 0;
  {
    std::unique_lock lock(mutex_);
    names_[record.name] = id;
    entries_[id] = {cell, std::make_shared<const ContainerRecord>(std::move(record)), order};
  }
  tell(id);
  return cell;
}

void Containers::publish(ContainerRecord record) {
  std::string id = record.id;
  auto fresh = std::make_shared<const ContainerRecord>(std::move(record));
  {
    std::unique_lock lock(mutex_);
    auto it = entries_.find(id);
    if (it == entries_.end()) return;
    it->second.record.swap(fresh);  // the old one goes outside the lock
  }
  tell(id);
}

void Containers::erase(const std::string& id) {
  {
    std::unique_lock lock(mutex_);
    auto it = entries_.find(id);
    if (it == entries_.end()) return;
    auto name = names_.find(it->second.record->name);
    if (name != names_.end() && name->second == id) names_.erase(name);
    entries_.erase(it);
  }
  tell(id);
}

std::shared_ptr<void> Containers::watch(std::function<void(const std::string&)> changed) {
  auto watcher = std::make_shared<std::function<void(const std::string&)>>(std::move(changed));
  std::lock_guard lock(watch_mutex_);
  std::erase_if(watchers_, [](const auto& other) { return other.expired(); });
  watchers_.push_back(watcher);
  return watcher;
}

void Containers::tell(const std::string& id) {
  std::vector<std::shared_ptr<std::function<void(const std::string&)>>> due;
  {
    std::lock_guard lock(watch_mutex_);
    for (const auto& watcher : watchers_) {
      if (auto alive = watcher.lock()) due.push_back(std::move(alive));
    }
  }
  for (const auto& watcher : due) (*watcher)(id);
}

}  // namespace sampan::engine
