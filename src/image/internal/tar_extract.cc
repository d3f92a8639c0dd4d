#include "image/internal/tar_extract.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "image/internal/tar_names.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/tree.h"

namespace sampan::image::tar {
namespace {

constexpr size_t kMaxCachedDirs = 64;

using sys::sys_error;

}  // namespace

DirCache::Dir DirCache::find(const std::string& name) const {
  auto found = dirs_.find(name);
  return found == dirs_.end() ? nullptr : found->second;
}

DirCache::Dir DirCache::insert(const std::string& name, sys::DirFd dir) {
  if (dirs_.size() >= kMaxCachedDirs) dirs_.clear();
  return dirs_[name] = std::make_shared<const sys::DirFd>(std::move(dir));
}

Extractor::Extractor(int root, const UnpackOptions& options, const Cancel& cancel)
    : root_(root), options_(options), cancel_(cancel) {}

Result<void> Extractor::open() {
  destination_ = TRY_CONTEXT(clean_name(options_.destination), "destination");
  TRY(sys::open_dir_in_root(root_, destination_));
  return {};
}

std::string Extractor::place_path(const std::string& clean) const {
  if (destination_.empty()) return clean;
  return clean.empty() ? destination_ : destination_ + "/" + clean;
}

Result<DirCache::Dir> Extractor::directory(const std::string& path) {
  if (auto held = cache_.find(path)) return held;
  auto opened = sys::open_dir_in_root(root_, path);
  if (!opened) {
    int err = opened.error().errno_value();
    if (err != ENOENT && err != ENOTDIR) return std::move(opened).error();
    opened = TRY(make_missing(path));
  }
  return cache_.insert(path, std::move(*opened));
}

Result<sys::DirFd> Extractor::make_missing(const std::string& path) {
  auto made = sys::make_dirs_in_root(root_, path, 0755);
  if (made || !is_layer() || made.error().errno_value() != ENOTDIR) return made;
  // "a" was whited out and now gets content: in one layer a whiteout speaks of the layers below only.
  if (!TRY(replace_whiteouts(path))) return made;
  return sys::make_dirs_in_root(root_, path, 0755);
}

/// Turns whiteouts on the way to `path` into opaque directories; false when there were none.
Result<bool> Extractor::replace_whiteouts(const std::string& path) {
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end == 0 ? 0 : end + 1);
    std::string prefix = path.substr(0, end);
    auto dir = sys::open_dir_in_root(root_, parent_of(prefix));
    if (!dir) return false;
    std::string base(base_of(prefix));
    struct stat info;
    if (::fstatat(dir->get(), base.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return false;
    if (!is_whiteout_device(info)) continue;
    if (::unlinkat(dir->get(), base.c_str(), 0) < 0) return sys_error("unlink", prefix);
    auto made = TRY(sys::make_dirs_in_root(root_, prefix, 0755));
    TRY(sys::write_xattr(made.get(), kOpaqueXattr, "y"));
    return true;
  }
  return false;
}

Result<void> Extractor::extract(const Entry& entry, Reader& content) {
  ++result_.entries;
  std::string clean = TRY(clean_name(entry.name));
  if (clean.empty()) return extract_root(entry);
  if (is_layer()) {
    switch (TRY(classify_layer_name(clean))) {
      case NameKind::Ignored:
        return {};
      case NameKind::Whiteout:
        return make_whiteout(clean);
      case NameKind::Opaque:
        return make_opaque(clean);
      case NameKind::Content:
        break;
    }
  }
  // To overlayfs this device is a whiteout: an image must not hide files by it in a way other tools do not see.
  if (entry.type == Type::CharDevice && entry.major == 0 && entry.minor == 0) return {};
  return extract_content(entry, content, clean);
}

Result<void> Extractor::extract_root(const Entry& entry) {
  if (entry.type != Type::Directory) return fail(Code::InvalidArgument, "the root can only be a directory");
  if (!is_layer()) return {};
  std::string path = place_path("");
  auto root = TRY(sys::open_in_root(root_, path, O_RDONLY | O_DIRECTORY));
  TRY(set_metadata(entry, root.get()));
  note_time(path, entry.mtime);
  return {};
}

Result<void> Extractor::extract_content(const Entry& entry, Reader& content, const std::string& clean) {
  Place place;
  place.path = place_path(clean);
  place.base = base_of(place.path);
  place.held = TRY(directory(std::string(parent_of(place.path))));
  switch (entry.type) {
    case Type::File:
      return make_file(entry, content, place);
    case Type::Directory:
      return make_directory(entry, place);
    case Type::SymLink:
      return make_symlink(entry, place);
    case Type::HardLink:
      return make_hard_link(entry, place);
    case Type::CharDevice:
    case Type::BlockDevice:
    case Type::Fifo:
      return make_node(entry, place);
  }
  return fail(Code::InvalidArgument, "unhandled entry type");
}

/// Removes what stands where a non-directory is to be made (or a non-directory where a directory is).
Result<void> Extractor::clear_way(const Entry& entry, const Place& place) {
  struct stat info;
  if (::fstatat(place.dir(), place.name(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return {};
    return sys_error("stat", place.path);
  }
  bool is_dir = S_ISDIR(info.st_mode), wants_dir = entry.type == Type::Directory;
  if (options_.no_overwrite_dir_non_dir && is_dir != wants_dir) {
    return is_dir ? fail(Code::InvalidArgument, "cannot overwrite directory \"/{}\" with non-directory \"{}\"",
                         place.path, entry.name)
                  : fail(Code::InvalidArgument, "cannot overwrite non-directory \"/{}\" with directory \"{}\"",
                         place.path, entry.name);
  }
  TRY(sys::remove_tree_at(place.dir(), place.base));
  if (is_dir || S_ISLNK(info.st_mode)) {
    times_.erase(place.path);
    times_.erase(times_.lower_bound(place.path + "/"), times_.lower_bound(place.path + "0"));  // '0' follows '/'
    cache_.clear();
  }
  return {};
}

}  // namespace sampan::image::tar
