// Removing in bulk what nobody uses. One prune at a time; what is taken into use meanwhile stays.

#include <algorithm>

#include "engine/internal/core.h"
#include "engine/internal/filters.h"
#include "sys/file.h"

namespace sampan::engine {

Result<PruneResult> Core::prune_containers(const Filters& filters) {
  std::unique_lock one(pruning_, std::try_to_lock);
  if (!one) return fail(Code::Conflict, "a prune operation is already running");
  auto filter = TRY(PruneFilter::compile(filters, now()));
  PruneResult out;
  for (const auto& record : containers_.list()) {
    auto status = container::status_of(*record);
    bool stopped = status == container::Status::Created || status == container::Status::Exited ||
                   status == container::Status::Dead;
    if (!stopped || !filter.matches(record->config.labels, record->created)) continue;
    auto size = snapshots_->usage(SnapshotKey(record->id));
    if (!remove_container(record->id, {})) continue;  // started or removed in the meantime
    out.deleted.push_back(record->id);
    if (size) out.space_reclaimed += *size;
  }
  tell(event_of("container", "prune", "", {{"reclaimed", std::to_string(out.space_reclaimed)}}));
  return out;
}

Result<PruneResult> Core::prune_volumes(const Filters& filters) {
  std::unique_lock one(pruning_, std::try_to_lock);
  if (!one) return fail(Code::Conflict, "a prune operation is already running");
  auto filter = TRY(PruneFilter::compile(filters, now(), {"all", "dangling"}));
  auto all_filter = filters.find("all");
  bool all = all_filter != filters.end() && !all_filter->second.empty() &&
             (all_filter->second[0] == "true" || all_filter->second[0] == "1");
  PruneResult out;
  for (const auto& volume : TRY(volumes_->list())) {
    if (!all && !volume.anonymous) continue;
    if (!filter.matches(volume.labels, volume.created) || !users_of_volume(volume.name).empty()) continue;
    auto usage = sys::disk_usage(volume.mountpoint);
    if (!remove_volume(volume.name, false)) continue;  // taken by a container in the meantime
    out.deleted.push_back(volume.name);
    if (usage) out.space_reclaimed += usage->bytes;
  }
  tell(event_of("volume", "prune", "", {{"reclaimed", std::to_string(out.space_reclaimed)}}));
  return out;
}

Result<PruneResult> Core::prune_images(const Filters& filters) {
  std::unique_lock one(pruning_, std::try_to_lock);
  if (!one) return fail(Code::Conflict, "a prune operation is already running");
  auto filter = TRY(PruneFilter::compile(filters, now(), {"dangling"}));
  auto dangling = filters.find("dangling");
  bool only_dangling = dangling == filters.end() || dangling->second.empty() ||
                       (dangling->second[0] != "false" && dangling->second[0] != "0");
  PruneResult out;
  for (const auto& image : TRY(images_->list())) {
    if (only_dangling && !image.repo_tags.empty()) continue;
    if (!filter.matches(image.config.config.labels, image.config.created)) continue;
    if (!users_of_image(image.id).empty()) continue;
    std::vector<std::string> names = image.repo_tags;
    if (names.empty()) names.push_back(image.id);
    for (const auto& name : names) {
      auto removed = remove_image(name, image::Force::No, false);
      if (!removed) continue;  // a child or a new container holds it
      bool deleted = std::ranges::any_of(*removed, [](const auto& item) { return !item.deleted.empty(); });
      if (deleted) out.space_reclaimed += static_cast<uint64_t>(std::max<int64_t>(0, image.size));
      out.images.insert(out.images.end(), removed->begin(), removed->end());
    }
  }
  tell(event_of("image", "prune", "", {{"reclaimed", std::to_string(out.space_reclaimed)}}));
  return out;
}

}  // namespace sampan::engine
