#include "image/internal/tar_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "image/internal/tar_names.h"
#include "image/internal/tar_writer.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/tree.h"

namespace sampan::image::tar {
namespace {

using sys::sys_error;

constexpr size_t kReadBuffer = 256 << 10;

/// What belongs to the file and not to this machine: labels, ACLs of local users and overlayfs's marks stay here.
bool is_packed_xattr(std::string_view name) {
  if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")) return false;
  return name == "security.capability" || name.starts_with("user.") || name.starts_with("trusted.");
}

Result<std::vector<std::string>> sorted_names(sys::Fd dir) {
  DIR* stream = ::fdopendir(dir.get());
  if (!stream) return sys_error("fdopendir");
  (void)dir.release();  // the stream owns it now
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = ::readdir(stream)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  int err = errno;
  ::closedir(stream);
  if (err != 0) return sys::sys_error_of(err, "readdir");
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> link_target(int node) {
  char target[4096];
  ssize_t n = ::readlinkat(node, "", target, sizeof target);
  if (n < 0) return sys_error("readlink");
  return std::string(target, static_cast<size_t>(n));
}

Entry entry_of(const struct stat& info, const std::string& name) {
  Entry entry;
  entry.name = name;
  entry.mode = info.st_mode & 07777;
  entry.uid = info.st_uid;
  entry.gid = info.st_gid;
  entry.mtime.seconds = info.st_mtim.tv_sec;  // whole seconds, as Docker's layers have
  return entry;
}

std::string below(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + "/" + name;
}

class TreePacker {
 public:
  TreePacker(ByteSink& out, const PackOptions& options, const Cancel& cancel)
      : writer_(out), options_(options), cancel_(cancel), buffer_(kReadBuffer, '\0') {}

  /// An object by its O_PATH descriptor (consumed); `name` in the archive, `path` below the root.
  Result<void> add(sys::Fd node, const std::string& name, const std::string& path);
  Result<void> add_children(int dir, const std::string& name, const std::string& path);
  Result<void> finish() { return writer_.finish(); }

 private:
  bool to_whiteouts() const { return options_.whiteouts == Whiteouts::ToOverlay; }
  Result<void> add_directory(sys::Fd node, Entry entry, const std::string& name, const std::string& path);
  Result<void> add_file(const sys::Fd& node, Entry entry);
  Result<void> add_other(const sys::Fd& node, Entry entry, const struct stat& info);
  Result<void> add_xattrs(const sys::Fd& node, Entry& entry);

  Writer writer_;
  const PackOptions& options_;
  const Cancel& cancel_;
  std::string buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
};

Result<void> TreePacker::add(sys::Fd node, const std::string& name, const std::string& path) {
  TRY(cancel_.check());
  if (name.size() > kMaxPath)
    return fail(Code::InvalidArgument, "the name \"{}...\" has more than {} bytes", name.substr(0, 60), kMaxPath);
  auto info = TRY(sys::stat_fd(node.get()));
  if (S_ISSOCK(info.st_mode)) return {};  // tar has no such thing
  Entry entry = entry_of(info, name);
  if (!options_.ids.empty()) {
    entry.uid = oci::inside_id(options_.ids.uids, entry.uid).value_or(entry.uid);
    entry.gid = oci::inside_id(options_.ids.gids, entry.gid).value_or(entry.gid);
  }
  if (to_whiteouts() && is_whiteout_device(info)) {
    std::string parent(parent_of(name));
    entry.name = below(parent, std::string(kWhiteoutPrefix) + std::string(base_of(name)));
    entry.mode = 0600;
    return writer_.add(std::move(entry));
  }
  // After the whiteouts: overlayfs makes all of them links to one inode.
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
    auto [first, is_new] = links_.try_emplace({info.st_dev, info.st_ino}, name);
    if (!is_new) {
      entry.type = Type::HardLink;
      entry.link = first->second;
      return writer_.add(std::move(entry));
    }
  }
  if (!S_ISLNK(info.st_mode)) TRY(add_xattrs(node, entry));
  if (S_ISDIR(info.st_mode)) return add_directory(std::move(node), std::move(entry), name, path);
  if (!S_ISREG(info.st_mode)) return add_other(node, std::move(entry), info);
  entry.size = static_cast<uint64_t>(info.st_size);
  return add_file(node, std::move(entry));
}

Result<void> TreePacker::add_xattrs(const sys::Fd& node, Entry& entry) {
  for (auto& attribute : TRY(sys::read_xattrs(node.get()))) {
    if (is_packed_xattr(attribute.first)) entry.xattrs.push_back(std::move(attribute));
  }
  return {};
}

Result<void> TreePacker::add_directory(sys::Fd node, Entry entry, const std::string& name, const std::string& path) {
  Entry opaque = entry;
  entry.type = Type::Directory;
  TRY(writer_.add(std::move(entry)));
  if (to_whiteouts() && TRY(sys::read_xattr(node.get(), kOpaqueXattr)) == "y") {
    opaque.name = below(name, std::string(kOpaqueName));
    opaque.mode &= 0777;
    opaque.xattrs.clear();
    TRY(writer_.add(std::move(opaque)));
  }
  return add_children(node.get(), name, path);
}

Result<void> TreePacker::add_children(int dir, const std::string& name, const std::string& path) {
  // The stream's descriptor is closed again before the first child: one descriptor per level is held, not two.
  auto names = TRY_CONTEXT(sorted_names(TRY(sys::open_at(dir, ".", O_RDONLY | O_DIRECTORY))), path);
  for (const std::string& child : names) {
    std::string child_path = below(path, child);
    if (options_.exclude && options_.exclude(child_path)) continue;
    auto node = sys::open_at(dir, child, O_PATH | O_NOFOLLOW);
    if (!node && node.error().errno_value() == ENOENT) continue;  // gone meanwhile
    if (!node) return std::move(node).error().context(child_path);
    TRY(add(std::move(*node), below(name, child), child_path));
  }
  return {};
}

Result<void> TreePacker::add_file(const sys::Fd& node, Entry entry) {
  // The type was seen on this very object, so opening it again cannot run into a FIFO or device put in its place.
  auto file = TRY_CONTEXT(sys::reopen_fd(node.get(), O_RDONLY | O_NONBLOCK), entry.name);
  std::string name = entry.name;
  TRY(writer_.add(std::move(entry)));
  while (writer_.missing() > 0) {
    TRY(cancel_.check());
    size_t wanted = static_cast<size_t>(std::min<uint64_t>(buffer_.size(), writer_.missing()));
    size_t n = TRY_CONTEXT(sys::read_some(file.get(), {buffer_.data(), wanted}), name);
    if (n == 0) return writer_.fill_content();
    TRY(writer_.content({buffer_.data(), n}));
  }
  return {};
}

Result<void> TreePacker::add_other(const sys::Fd& node, Entry entry, const struct stat& info) {
  if (S_ISLNK(info.st_mode)) {
    entry.type = Type::SymLink;
    entry.mode = 0777;
    entry.link = TRY_CONTEXT(link_target(node.get()), entry.name);
    return writer_.add(std::move(entry));
  }
  entry.type = S_ISCHR(info.st_mode) ? Type::CharDevice : S_ISBLK(info.st_mode) ? Type::BlockDevice : Type::Fifo;
  if (entry.type != Type::Fifo) {
    entry.major = major(info.st_rdev);
    entry.minor = minor(info.st_rdev);
  }
  return writer_.add(std::move(entry));
}

bool names_the_content(const std::string& path) {
  return path == "/" || path == "." || path.ends_with("/.");
}

/// The object that `path` names, and the name it has of itself.
Result<std::pair<sys::Fd, std::string>> open_top(int root, const std::string& path, const PackOptions& options) {
  auto [dir, base] = TRY(sys::open_parent_in_root(root, path));
  bool follow = options.follow_top_link || path.ends_with('/');
  auto node = follow ? TRY(sys::open_in_root(root, path, path.ends_with('/') ? O_PATH | O_DIRECTORY : O_PATH))
                     : TRY(sys::open_at(dir.get(), base, O_PATH | O_NOFOLLOW));
  return std::pair(std::move(node), base);
}

}  // namespace

Result<void> pack_tree(int root, const std::string& path, ByteSink& out, const PackOptions& options,
                       const Cancel& cancel) {
  TreePacker packer(out, options, cancel);
  std::string clean = TRY(clean_name(path));
  if (path.empty()) {
    TRY(packer.add_children(root, "", ""));
  } else if (names_the_content(path)) {
    auto top = TRY(sys::open_dir_in_root(root, path));
    std::string name = options.rename_root.empty() || options.rename_root == "/" ? "." : options.rename_root;
    TRY(packer.add(std::move(top).as<sys::FdTag>(), name, clean));
  } else {
    auto [node, base] = TRY(open_top(root, path, options));
    TRY(packer.add(std::move(node), options.rename_root.empty() ? base : options.rename_root, clean));
  }
  return packer.finish();
}

}  // namespace sampan::image::tar
