// Volumes as the engine guards them: what containers use stays.

#include "base/strings.h"
#include "engine/internal/core.h"

namespace sampan::engine {

Result<void> Core::remove_volume(const std::string& name, bool force) {
  auto volume = volumes_->get(name);
  if (!volume) {
    if (force && volume.error().code() == Code::NotFound) return {};
    return std::move(volume).error();
  }
  std::unique_lock nobody_creates(volume_use_);
  auto users = users_of_volume(name);
  if (!users.empty()) {
    return fail(Code::Conflict, "remove {}: volume is in use - [{}]", name, join(users, ", "));
  }
  TRY(volumes_->remove(name));
  tell(event_of("volume", "destroy", name, {{"driver", volume->driver}}));
  return {};
}

}  // namespace sampan::engine
