// Reading: lists, lookups, sizes, changes. Nothing here waits for a container.

#include "engine/internal/core.h"
#include "engine/internal/filters.h"

namespace sampan::engine {

Result<ContainerSnapshot> Core::get_container(const std::string& name) {
  return TRY(containers_.get(name)).record;
}

namespace {

/// The image and every image whose chain of parents leads to it.
std::set<std::string> descendants_of(image::Images& images, const std::string& name) {
  auto image = images.get(name);
  if (!image) return {};
  std::set<std::string> out = {image->id};
  auto all = images.list();
  if (!all) return out;
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& other : *all) {
      if (!other.parent.empty() && out.contains(other.parent)) grew = out.insert(other.id).second || grew;
    }
  }
  return out;
}

}  // namespace

Result<std::vector<ContainerSnapshot>> Core::list_containers(const ListOptions& options) {
  FilterLookups lookups;
  lookups.created_of = [&](const std::string& name) -> std::optional<std::string> {
    auto found = containers_.get(name);
    if (!found) return std::nullopt;
    return found->record->created;
  };
  lookups.image_and_descendants = [&](const std::string& name) { return descendants_of(*images_, name); };
  auto filter = TRY(ContainerFilter::compile(options.filters, lookups));
  bool all = options.all || options.limit > 0 || filter.wants_all();
  std::vector<ContainerSnapshot> out;
  for (auto& record : containers_.list()) {
    if (!all && !record->state.running()) continue;
    if (!filter.matches(*record)) continue;
    out.push_back(std::move(record));
    if (options.limit > 0 && out.size() == static_cast<size_t>(options.limit)) break;
  }
  return out;
}

Result<std::vector<snapshot::Change>> Core::container_changes(const std::string& name) {
  auto record = TRY(get_container(name));
  return snapshots_->changes(SnapshotKey(record->id));
}

Result<std::pair<int64_t, int64_t>> Core::container_size(const std::string& name) {
  auto record = TRY(get_container(name));
  auto own = static_cast<int64_t>(TRY(snapshots_->usage(SnapshotKey(record->id))));
  int64_t below = 0;
  if (!record->image_id.empty()) {
    if (auto image = images_->get(record->image_id)) below = image->size;
  }
  return std::pair(own, own + below);
}

std::vector<std::string> Core::users_of_volume(const std::string& name) {
  std::vector<std::string> out;
  for (const auto& record : containers_.list()) {
    for (const auto& point : record->mounts) {
      if (point.type != "volume" || point.name != name) continue;
      out.push_back(record->id);
      break;
    }
  }
  return out;
}

std::vector<std::string> Core::users_of_image(const std::string& image_id) {
  std::vector<std::string> out;
  for (const auto& record : containers_.list()) {
    auto mounted = [&](const auto& point) { return point.type == "image" && point.source == image_id; };
    if (record->image_id == image_id || std::ranges::any_of(record->mounts, mounted)) out.push_back(record->id);
  }
  return out;
}

}  // namespace sampan::engine
