#include "snapshot/internal/lowers.h"

#include <fcntl.h>

#include <map>

#include "snapshot/internal/listing.h"
#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/tree.h"

namespace sampan::snapshot {

Result<Lowers> Lowers::open(const std::vector<std::string>& directories) {
  Lowers out;
  for (const auto& directory : directories) out.layers_.push_back(TRY(sys::open_dir(directory)));
  return out;
}

Lowers::Merged Lowers::root() const {
  Merged all(layers_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

std::optional<Lowers::Found> Lowers::find(const Merged& parent, const std::string& path) const {
  std::optional<Found> found;
  for (size_t layer : parent) {
    // The directories on the way are known to be directories in this layer, and layers do not change.
    struct stat info;
    if (::fstatat(layers_[layer].get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) continue;
    bool is_dir = S_ISDIR(info.st_mode);
    if (is_whiteout(info) || (found && !is_dir)) break;
    if (!found) found = Found{info, layer, {}};
    if (!is_dir) break;
    found->merged.push_back(layer);
    auto dir = sys::open_at(layers_[layer].get(), path, O_PATH | O_NOFOLLOW);
    if (dir && is_opaque(dir->get())) break;
  }
  return found;
}

Result<std::vector<std::string>> Lowers::names(const Merged& merged, const std::string& path) const {
  std::map<std::string, bool> seen;  // name -> is there
  for (size_t layer : merged) {
    for (const auto& entry : TRY(list_layer_dir(layers_[layer].get(), path)).entries) {
      seen.try_emplace(entry.name, !is_whiteout(entry.info));
    }
  }
  std::vector<std::string> out;
  for (const auto& [name, there] : seen) {
    if (there) out.push_back(name);
  }
  return out;
}

std::string Lowers::capability(size_t layer, const std::string& path) const {
  auto file = sys::open_at(layers_[layer].get(), path, O_PATH | O_NOFOLLOW);
  return file ? sys::read_xattr(file->get(), "security.capability").value_or("") : std::string();
}

}  // namespace sampan::snapshot
