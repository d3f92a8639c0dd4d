#include "snapshot/internal/changes.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "snapshot/internal/listing.h"
#include "snapshot/internal/lowers.h"
#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/tree.h"

namespace sampan::snapshot {
namespace {

// Docker puts these into a layer of their own below the container's; here they are in the container's.
constexpr std::string_view kMountTargets[] = {
    "/.dockerenv",   "/dev",       "/dev/console", "/dev/pts",         "/dev/shm", "/etc",
    "/etc/hostname", "/etc/hosts", "/etc/mtab",    "/etc/resolv.conf", "/proc",    "/sys",
};

bool is_mount_target(const std::string& path, const struct stat& info) {
  if (S_ISREG(info.st_mode) && info.st_size != 0) return false;
  return std::find(std::begin(kMountTargets), std::end(kMountTargets), path) != std::end(kMountTargets);
}

bool same_time(const timespec& a, const timespec& b) {
  // Some layers hold whole seconds only.
  return a.tv_sec == b.tv_sec && (a.tv_nsec == b.tv_nsec || a.tv_nsec == 0 || b.tv_nsec == 0);
}

bool same_facts(const struct stat& a, const struct stat& b) {
  if (a.st_mode != b.st_mode || a.st_uid != b.st_uid || a.st_gid != b.st_gid || a.st_rdev != b.st_rdev) return false;
  // A directory's time and size follow from its content, which is looked at for itself.
  return S_ISDIR(a.st_mode) || (a.st_size == b.st_size && same_time(a.st_mtim, b.st_mtim));
}

class Scan {
 public:
  Scan(sys::DirFd upper, Lowers lowers) : upper_(std::move(upper)), lowers_(std::move(lowers)) {}

  Result<std::vector<Change>> run() {
    TRY(directory("", lowers_.root(), false));
    std::sort(out_.begin(), out_.end(), [](const Change& a, const Change& b) { return a.path < b.path; });
    return std::move(out_);
  }

 private:
  struct Here {
    std::string path;  // without a leading slash
    const Listed& entry;
    std::optional<Lowers::Found> below;
    bool hidden;  // the upper directory it is in does not show the lowers
  };

  /// True when something in the directory was told. `hidden`: the upper directory stands for itself.
  Result<bool> directory(const std::string& path, const Lowers::Merged& merged, bool hidden) {
    auto listing = TRY(list_layer_dir(upper_.get(), path));
    hidden = hidden || (listing.opaque && !path.empty());
    bool changed = false;
    std::set<std::string> names;
    for (const auto& entry : listing.entries) {
      names.insert(entry.name);
      std::string child = path.empty() ? entry.name : path + "/" + entry.name;
      Here here{child, entry, lowers_.find(merged, child), hidden};
      changed |= is_whiteout(entry.info)       ? deleted(here)
                 : S_ISDIR(entry.info.st_mode) ? TRY(subdirectory(here))
                                               : TRY(other(here));
    }
    if (hidden) changed |= TRY(not_there(path, merged, names));
    return changed;
  }

  bool tell(const std::string& path, ChangeKind kind) {
    out_.push_back({"/" + path, kind});
    return true;
  }

  bool deleted(const Here& here) { return here.below && tell(here.path, ChangeKind::Deleted); }

  Result<bool> subdirectory(const Here& here) {
    Lowers::Merged merged = here.below ? here.below->merged : Lowers::Merged();
    bool hidden = here.hidden || !here.below || !S_ISDIR(here.below->info.st_mode);
    bool inside = TRY(directory(here.path, merged, hidden));
    if (!here.below) {
      if (!inside && is_mount_target("/" + here.path, here.entry.info)) return false;
      return tell(here.path, ChangeKind::Added);
    }
    if (!inside && same_facts(here.entry.info, here.below->info)) return false;
    return tell(here.path, ChangeKind::Modified);
  }

  Result<bool> other(const Here& here) {
    if (!here.below) {
      if (is_mount_target("/" + here.path, here.entry.info)) return false;
      return tell(here.path, ChangeKind::Added);
    }
    if (same_facts(here.entry.info, here.below->info) &&
        capability(here.path) == lowers_.capability(here.below->layer, here.path)) {
      return false;  // opened for writing, but nothing was written
    }
    if (S_ISDIR(here.below->info.st_mode)) TRY(not_there(here.path, here.below->merged, {}));
    return tell(here.path, ChangeKind::Modified);
  }

  /// Tells the names of a directory of the lowers that the upper does not have.
  Result<bool> not_there(const std::string& path, const Lowers::Merged& merged, const std::set<std::string>& names) {
    bool any = false;
    for (const auto& name : TRY(lowers_.names(merged, path))) {
      if (!names.contains(name)) any = tell(path.empty() ? name : path + "/" + name, ChangeKind::Deleted);
    }
    return any;
  }

  std::string capability(const std::string& path) const {
    auto file = sys::open_in_root(upper_.get(), path, O_PATH | O_NOFOLLOW);
    return file ? sys::read_xattr(file->get(), "security.capability").value_or("") : std::string();
  }

  sys::DirFd upper_;
  Lowers lowers_;
  std::vector<Change> out_;
};

}  // namespace

Result<std::vector<Change>> scan_changes(const std::string& upper, const std::vector<std::string>& lowers) {
  return Scan(TRY(sys::open_dir(upper)), TRY(Lowers::open(lowers))).run();
}

Result<uint64_t> scan_usage(const std::string& directory) {
  auto root = TRY(sys::open_dir(directory));
  uint64_t bytes = 0;
  std::set<ino_t> linked;
  std::vector<std::string> pending = {""};
  while (!pending.empty()) {
    std::string path = std::move(pending.back());
    pending.pop_back();
    for (const auto& entry : TRY(list_layer_dir(root.get(), path)).entries) {
      if (S_ISDIR(entry.info.st_mode))
        pending.push_back(path.empty() ? entry.name : path + "/" + entry.name);
      else if (entry.info.st_nlink < 2 || linked.insert(entry.info.st_ino).second)
        bytes += static_cast<uint64_t>(entry.info.st_size);
    }
  }
  return bytes;
}

}  // namespace sampan::snapshot
