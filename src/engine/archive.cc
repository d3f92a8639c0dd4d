// Files in and out of containers. A running one is entered through its root as its own processes see it (volumes
// included); of one that does not run, its layers are mounted where nobody else sees them, and volumes are taken by
// their places. Every path is resolved below a descriptor (sys/safe_path).

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "engine/internal/core.h"
#include "image/archive.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/user_namespace.h"

namespace sampan::engine {

namespace {

/// Absolute, without "." and "..": where the client means to be before links are followed.
std::string clean_path(const std::string& path) {
  std::vector<std::string> out;
  for (auto& piece : split(path, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece == "..") {
      if (!out.empty()) out.pop_back();
      continue;
    }
    out.push_back(std::move(piece));
  }
  return "/" + join(out, "/");
}

/// What `path` ends with decides between a link and what it leads to, so it is kept.
std::string trailing_part(const std::string& path) {
  if (path.ends_with("/.")) return "/.";
  return path.ends_with('/') ? "/" : "";
}

const container::MountPoint* mount_of(const ContainerRecord& record, const std::string& clean) {
  const container::MountPoint* best = nullptr;
  for (const auto& point : record.mounts) {
    bool inside = clean == point.destination || clean.starts_with(point.destination + "/");
    if (inside && (!best || point.destination.size() > best->destination.size())) best = &point;
  }
  return best;
}

Error missing(const std::string& path, const std::string& name) {
  return fail(Code::NotFound, "Could not find the file {} in container {}", path, name);
}

/// The uid and gid of "user[:group]": numbers, or names of the container's own passwd file.
std::optional<std::pair<uint32_t, uint32_t>> find_user(int root, const std::string& text) {
  auto parts = split_once(text, ':');
  std::string user(parts ? parts->first : std::string_view(text));
  std::optional<uint64_t> uid = parse_uint(user), gid;
  if (parts) gid = parse_uint(parts->second);
  auto passwd = sys::read_file_in_root(root, "/etc/passwd", 4 << 20);
  for (const auto& line : split(passwd ? *passwd : std::string(), '\n')) {
    auto fields = split(line, ':');
    if (fields.size() < 4 || (fields[0] != user && fields[2] != user)) continue;
    if (!uid) uid = parse_uint(fields[2]);
    if (!gid) gid = parse_uint(fields[3]);
    break;
  }
  if (!uid) return std::nullopt;
  return std::pair(static_cast<uint32_t>(*uid), static_cast<uint32_t>(gid.value_or(0)));
}

/// The host's root has no place where ids are mapped, so it could make no file there.
Result<void> unpack_as_root_of(const oci::UserMappings& ids, ByteSource& tar, int root,
                               const image::UnpackOptions& options, const Cancel& cancel) {
  std::optional<sys::FileIdentity> identity;
  auto uid = oci::host_id(ids.uids, 0), gid = oci::host_id(ids.gids, 0);
  if (uid && gid) identity.emplace(TRY(sys::FileIdentity::assume(*uid, *gid)));
  TRY(image::unpack_tar(tar, root, options, cancel));
  return {};
}

Result<std::string> read_link_of(int fd) {
  char target[4096];
  ssize_t n = ::readlinkat(fd, "", target, sizeof target);
  if (n < 0) return sys::sys_error("readlinkat");
  return std::string(target, static_cast<size_t>(n));
}

}  // namespace

Result<Core::Tree> Core::open_rootfs(const std::string& id) {
  auto locked = TRY(lock_cell(containers_.cell(id)));
  const ContainerRecord& record = *locked.record;
  Tree tree;
  if (record.state.pid > 0 && record.state.running()) {
    // Under the lock the record's process is the shim's: its number cannot be somebody else's, and no start waits.
    tree.root = TRY(sys::open_dir(fmt::format("/proc/{}/root", record.state.pid)));
    tree.ids = mappings_of(record);
    return tree;
  }
  auto mount = TRY(snapshots_->mount(SnapshotKey(record.id)));
  tree.root = TRY(snapshot::open_detached(mount));
  tree.lock = std::move(locked.lock);
  return tree;
}

Result<Core::Tree> Core::open_tree(const ContainerRecord& record, const std::string& path) {
  if (path.empty()) return fail(Code::InvalidArgument, "missing path");
  std::string clean = clean_path(path);
  const auto* point = mount_of(record, clean);
  bool running = record.state.running() && record.state.pid > 0;
  // The mount point itself belongs to the layers, so that it has its name there; what is below it is the volume's.
  bool in_volume = !running && point && point->type != "tmpfs" && !point->source.empty() &&
                   (clean != point->destination || !trailing_part(path).empty());
  struct stat info;
  Tree tree;
  if (in_volume && ::stat(point->source.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    tree.root = TRY(sys::open_dir(point->source));
    tree.path = clean.substr(point->destination.size()) + trailing_part(path);
  } else {
    tree = TRY(open_rootfs(record.id));
    tree.path = (clean == "/" ? "" : clean) + trailing_part(path);
  }
  if (tree.path.empty()) tree.path = "/";
  tree.read_only = point ? !point->rw : record.host_config.readonly_rootfs;
  return tree;
}

Result<PathStat> Core::stat_path(const std::string& name, const std::string& path) {
  auto record = TRY(get_container(name));
  auto tree = TRY(open_tree(*record, path));
  bool follow = !trailing_part(tree.path).empty();
  auto node = sys::open_in_root(tree.root.get(), tree.path, follow ? O_PATH | O_DIRECTORY : O_PATH | O_NOFOLLOW);
  if (!node) {
    if (node.error().errno_value() == ENOENT) return missing(path, name);
    return std::move(node).error();
  }
  struct stat info = TRY(sys::stat_fd(node->get()));
  PathStat out;
  std::string clean = clean_path(path);
  out.name = clean == "/" ? "/" : clean.substr(clean.rfind('/') + 1);
  if (path.ends_with("/.")) out.name = ".";
  out.size = info.st_size;
  out.mode = info.st_mode;
  out.mtime = codec::format_rfc3339({info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec});
  if (S_ISLNK(info.st_mode)) out.link_target = TRY(read_link_of(node->get()));
  return out;
}

Result<void> Core::copy_from(const std::string& name, const std::string& path, ByteSink& tar, const Cancel& cancel) {
  auto record = TRY(get_container(name));
  auto tree = TRY(open_tree(*record, path));
  image::PackOptions options;
  std::string clean = clean_path(path);
  bool contents = path.ends_with("/.") || clean == "/";
  // A volume's top directory is called what the container calls it.
  if (!contents) options.rename_root = clean.substr(clean.rfind('/') + 1);
  if (clean == "/") options.rename_root = ".";
  options.ids = tree.ids;
  auto packed = image::pack_tar(tree.root.get(), tree.path, tar, options, cancel);
  if (!packed && packed.error().errno_value() == ENOENT) return missing(path, name);
  if (packed) tell(container_event(*record, "archive-path", {{"path", path}}));
  return packed;
}

Result<void> Core::copy_to(const std::string& name, const std::string& path, ByteSource& tar,
                           bool no_overwrite_dir_non_dir, bool copy_uid_gid, const Cancel& cancel) {
  auto record = TRY(get_container(name));
  auto tree = TRY(open_tree(*record, path.ends_with('/') ? path : path + "/"));
  auto target = sys::open_dir_in_root(tree.root.get(), tree.path);
  if (!target) {
    if (target.error().errno_value() == ENOENT) return missing(path, name);
    if (target.error().errno_value() == ENOTDIR)
      return fail(Code::InvalidArgument, "extraction point is not a directory");
    return std::move(target).error();
  }
  if (tree.read_only) {
    const char* what = mount_of(*record, clean_path(path)) ? "mount" : "container rootfs";
    return fail(Code::PermissionDenied, "{} is marked read-only", what);
  }
  image::UnpackOptions options;
  options.no_overwrite_dir_non_dir = no_overwrite_dir_non_dir;
  if (copy_uid_gid && !record->config.user.empty()) {
    // The names are the root filesystem's, also when the files go into a volume.
    Tree rootfs;
    if (!tree.lock.owns_lock()) rootfs = TRY(open_rootfs(record->id));
    options.chown = find_user(rootfs.root.valid() ? rootfs.root.get() : tree.root.get(), record->config.user);
    if (!options.chown) {
      return fail(Code::InvalidArgument, "unable to find user {}: no matching entries in passwd file",
                  record->config.user);
    }
  }
  auto plain = image::make_decompressor(tar);
  options.destination = tree.path;
  options.ids = tree.ids;
  TRY(unpack_as_root_of(tree.ids, *plain, tree.root.get(), options, cancel));
  tell(container_event(*record, "extract-to-dir", {{"path", path}}));
  return {};
}

/// The layers alone, as Docker's export has it: what is mounted above them shows as its empty mount point.
Result<void> Core::export_container(const std::string& name, ByteSink& tar, const Cancel& cancel) {
  auto record = TRY(get_container(name));
  auto tree = TRY(open_rootfs(record->id));
  image::PackOptions options;
  if (record->state.running()) {
    std::vector<std::string> mounts = {"proc/", "sys/", "dev/"};
    for (const auto& point : record->mounts) mounts.push_back(point.destination.substr(1) + "/");
    options.exclude = [mounts](const std::string& path) {
      if (path == "etc/hosts" || path == "etc/hostname" || path == "etc/resolv.conf") return true;
      return std::ranges::any_of(mounts, [&](const auto& mount) { return path.starts_with(mount); });
    };
  }
  options.ids = tree.ids;
  TRY(image::pack_tar(tree.root.get(), "", tar, options, cancel));
  tell(container_event(*record, "export"));
  return {};
}

}  // namespace sampan::engine
