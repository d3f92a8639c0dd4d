// Images with their events, and guarded against removal under a container.

#include <set>

#include "engine/internal/core.h"

namespace sampan::engine {

Result<void> Core::pull_image(const oci::Reference& reference, const std::optional<oci::Platform>& platform,
                              const registry::Credentials& credentials, const image::ProgressSink& progress,
                              const Cancel& cancel) {
  auto image = TRY(images_->pull(reference, platform, credentials, progress, cancel));
  Attributes attributes = image.config.config.labels;
  attributes["name"] = reference.familiar_name();
  tell(event_of("image", "pull", reference.familiar(), std::move(attributes)));
  return {};
}

/// The image's labels with its name among them, as a container's events have them.
Attributes Core::image_attributes(const std::string& id, const std::string& name) {
  Attributes out;
  if (auto image = images_->get(id)) out = image->config.config.labels;
  out["name"] = name;
  return out;
}

Result<void> Core::tag_image(const std::string& name, const oci::Reference& target) {
  auto image = TRY(images_->get(name));
  TRY(images_->tag(image.id, target));
  tell(event_of("image", "tag", image.id, image_attributes(image.id, target.familiar())));
  return {};
}

Result<std::vector<image::RemovedImage>> Core::remove_image(const std::string& name, image::Force force,
                                                            bool no_prune) {
  auto image = TRY(images_->get(name));
  auto used_by = [this](const std::string& id) {
    std::vector<std::string> out;
    for (const auto& user : users_of_image(id)) {
      auto record = containers_.record(user);
      if (!record) continue;
      bool only_mounts = record->image_id != id;
      out.push_back((only_mounts ? "mounting:" : record->state.running() ? "running:" : "") + user);
    }
    return out;
  };
  // The answer names the layers that went, too; events are about images.
  std::set<std::string> ids = {image.id};
  for (const auto& other : TRY(images_->list())) ids.insert(other.id);
  const Attributes labels = image.config.config.labels;
  std::unique_lock nobody_mounts(volume_use_);
  auto removed = TRY(images_->remove(name, force, !no_prune, used_by));
  nobody_mounts.unlock();
  for (const auto& item : removed) {
    Attributes untagged = labels;
    untagged["name"] = item.untagged;
    if (!item.untagged.empty()) tell(event_of("image", "untag", image.id, std::move(untagged)));
    if (ids.contains(item.deleted)) tell(event_of("image", "delete", item.deleted, {{"name", item.deleted}}));
  }
  return removed;
}

Result<std::vector<std::string>> Core::load_images(ByteSource& archive, const image::ProgressSink& progress,
                                                   const Cancel& cancel) {
  auto loaded = TRY(images_->load(archive, progress, cancel));
  for (const auto& name : loaded) {
    auto image = images_->get(name);
    tell(event_of("image", "load", image ? image->id : name, {{"name", name}}));
  }
  return loaded;
}

}  // namespace sampan::engine
