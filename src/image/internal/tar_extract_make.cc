// image/tar_extract_make: one function per kind of member, and the metadata that all of them get.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "image/internal/tar_extract.h"
#include "image/internal/tar_names.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/tree.h"

namespace sampan::image::tar {
namespace {

using sys::sys_error;

constexpr size_t kMaxTimesBytes = 64 << 20;

/// Overlayfs acts on the first two; security labels of another machine mean nothing here or lock files away.
bool is_wanted_xattr(std::string_view name, bool strip_special) {
  if (strip_special && (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay."))) return false;
  return !name.starts_with("security.") || name == "security.capability";
}

/// Docker's bounds: a time before 1970 is 1970; the kernel clamps the other end to what the filesystem can hold.
timespec to_timespec(Time time) {
  if (time.seconds < 0) return {0, 0};
  return {static_cast<time_t>(time.seconds), static_cast<long>(time.nanoseconds)};
}

Result<void> set_times(int fd, Time time) {
  timespec times[2] = {to_timespec(time), to_timespec(time)};
  if (::futimens(fd, times) < 0) return sys_error("futimens");
  return {};
}

Result<void> set_times_at(int dir, const char* name, Time time) {
  timespec times[2] = {to_timespec(time), to_timespec(time)};
  if (::utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0) return sys_error("utimensat", name);
  return {};
}

mode_t node_type(Type type) {
  return type == Type::CharDevice ? S_IFCHR : type == Type::BlockDevice ? S_IFBLK : S_IFIFO;
}

}  // namespace

Result<int> Extractor::create(const Entry& entry, const Place& place, const char* name,
                              const std::function<int()>& call) {
  // More than twice only when somebody else writes into the directory at the same time.
  for (int attempt = 0; attempt < 4; ++attempt) {
    int result = call();
    if (result >= 0) return result;
    if (errno != EEXIST) return sys_error(name, place.path);
    TRY(clear_way(entry, place));
  }
  return sys::sys_error_of(EEXIST, name, place.path);
}

Result<void> Extractor::make_file(const Entry& entry, Reader& content, const Place& place) {
  if (options_.max_bytes > 0 && entry.size > options_.max_bytes - std::min(options_.max_bytes, result_.bytes)) {
    return fail(Code::ResourceExhausted, "the archive unpacks to more than {} bytes", options_.max_bytes);
  }
  sys::Fd file(TRY(create(entry, place, "open", [&] {
    return ::openat(place.dir(), place.name(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  })));
  TRY(write_content(entry, content, file.get()));
  TRY(set_metadata(entry, file.get()));
  result_.bytes += entry.size;
  return set_times(file.get(), entry.mtime);
}

Result<void> Extractor::write_content(const Entry& entry, Reader& content, int fd) {
  uint64_t end = 0;
  for (;;) {
    auto piece = TRY(content.read());
    if (piece.bytes.empty()) break;
    TRY(cancel_.check());
    while (!piece.bytes.empty()) {
      ssize_t n = ::pwrite(fd, piece.bytes.data(), piece.bytes.size(), static_cast<off_t>(piece.offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return sys_error("write");
      piece.bytes.remove_prefix(static_cast<size_t>(n));
      piece.offset += static_cast<uint64_t>(n);
    }
    end = piece.offset;
  }
  if (end < entry.size && ::ftruncate(fd, static_cast<off_t>(entry.size)) < 0) return sys_error("ftruncate");
  return {};
}

Result<void> Extractor::make_directory(const Entry& entry, const Place& place) {
  bool was_whiteout = false;
  TRY(create(entry, place, "mkdir", [&] {
    if (::mkdirat(place.dir(), place.name(), 0700) == 0) return 0;
    int err = errno;
    struct stat info;
    if (err == EEXIST && ::fstatat(place.dir(), place.name(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      if (S_ISDIR(info.st_mode)) return 0;
      was_whiteout = is_layer() && is_whiteout_device(info);
    }
    errno = err;
    return -1;
  }));
  auto dir = TRY(sys::open_at(place.dir(), place.base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (was_whiteout) TRY(sys::write_xattr(dir.get(), kOpaqueXattr, "y"));
  TRY(set_metadata(entry, dir.get()));
  note_time(place.path, entry.mtime);
  // Its first child comes next, most likely.
  if (!cache_.find(place.path)) cache_.insert(place.path, std::move(dir).as<sys::DirFdTag>());
  return {};
}

Result<void> Extractor::make_symlink(const Entry& entry, const Place& place) {
  if (entry.link.empty() || entry.link.size() > kMaxLinkTarget || entry.link.find('\0') != std::string::npos) {
    return fail(Code::InvalidArgument, "invalid target of a symbolic link");
  }
  TRY(create(entry, place, "symlink", [&] { return ::symlinkat(entry.link.c_str(), place.dir(), place.name()); }));
  auto [uid, gid] = TRY(owner_of(entry));
  if (::fchownat(place.dir(), place.name(), uid, gid, AT_SYMLINK_NOFOLLOW) < 0) return sys_error("chown");
  return set_times_at(place.dir(), place.name(), entry.mtime);
}

Result<void> Extractor::make_hard_link(const Entry& entry, const Place& place) {
  std::string target = TRY_CONTEXT(clean_name(entry.link), "target of a hard link");
  if (target.empty()) return fail(Code::InvalidArgument, "a hard link to the root");
  if (is_layer() && TRY(classify_layer_name(target)) != NameKind::Content) {
    return fail(Code::InvalidArgument, "a hard link to the whiteout \"{}\"", target);
  }
  target = place_path(target);
  auto missing = [&] {
    return fail(Code::InvalidArgument, "the target \"{}\" of a hard link does not exist", entry.link);
  };
  auto dir = sys::open_dir_in_root(root_, parent_of(target));
  if (!dir) return dir.error().errno_value() == ENOENT ? missing() : std::move(dir).error();
  std::string base(base_of(target));
  struct stat info, here;
  if (::fstatat(dir->get(), base.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
    return errno == ENOENT ? missing() : sys_error("stat", target);
  }
  if (is_whiteout_device(info)) return missing();
  if (S_ISDIR(info.st_mode)) return fail(Code::InvalidArgument, "a hard link to the directory \"{}\"", entry.link);
  // A link to itself, or given twice: removing what is in the way would remove the target.
  if (::fstatat(place.dir(), place.name(), &here, AT_SYMLINK_NOFOLLOW) == 0 && here.st_ino == info.st_ino &&
      here.st_dev == info.st_dev) {
    return {};
  }
  auto linked = create(entry, place, "link", [&] {
    // Flag 0: a link to a symbolic link is one more name of the link, whatever that points to.
    return ::linkat(dir->get(), base.c_str(), place.dir(), place.name(), 0);
  });
  if (!linked && linked.error().errno_value() == ENOENT) return missing();
  if (!linked) return std::move(linked).error();
  return {};
}

Result<void> Extractor::make_node(const Entry& entry, const Place& place) {
  mode_t type = node_type(entry.type);
  dev_t device = type == S_IFIFO ? 0 : makedev(entry.major, entry.minor);
  TRY(create(entry, place, "mknod", [&] { return ::mknodat(place.dir(), place.name(), type | 0600, device); }));
  auto node = TRY(sys::open_at(place.dir(), place.base, O_PATH | O_NOFOLLOW));
  auto info = TRY(sys::stat_fd(node.get()));
  if ((info.st_mode & S_IFMT) != type) return fail(Code::Conflict, "it was replaced while it was made");
  TRY(set_metadata(entry, node.get()));
  return set_times_at(place.dir(), place.name(), entry.mtime);
}

Result<void> Extractor::make_whiteout(const std::string& clean) {
  std::string victim(base_of(clean).substr(kWhiteoutPrefix.size()));
  auto dir = TRY(directory(place_path(std::string(parent_of(clean)))));
  if (::mknodat(dir->get(), victim.c_str(), S_IFCHR, makedev(0, 0)) == 0) return {};
  if (errno != EEXIST) return sys_error("mknod", victim);
  // This layer has the name already. It covers what lies below by itself, only a directory would be merged.
  auto own = sys::open_at(dir->get(), victim, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (own) return sys::write_xattr(own->get(), kOpaqueXattr, "y");
  int err = own.error().errno_value();
  if (err == ENOTDIR || err == ELOOP) return {};
  return std::move(own).error();
}

Result<void> Extractor::make_opaque(const std::string& clean) {
  auto dir = TRY(directory(place_path(std::string(parent_of(clean)))));
  return sys::write_xattr(dir->get(), kOpaqueXattr, "y");
}

Result<std::pair<uint32_t, uint32_t>> Extractor::owner_of(const Entry& entry) const {
  auto owner = options_.chown ? *options_.chown : std::pair(entry.uid, entry.gid);
  if (options_.ids.empty()) return owner;
  auto uid = oci::host_id(options_.ids.uids, owner.first), gid = oci::host_id(options_.ids.gids, owner.second);
  if (!uid || !gid)
    return fail(Code::InvalidArgument, "Container ID {} cannot be mapped to a host ID",
                uid ? owner.second : owner.first);
  return std::pair(*uid, *gid);
}

uint32_t Extractor::mode_of(const Entry& entry) const {
  return options_.chmod.value_or(entry.mode);
}

/// The order matters: a chown clears set-user-id bits and file capabilities.
Result<void> Extractor::set_metadata(const Entry& entry, int fd) {
  auto [uid, gid] = TRY(owner_of(entry));
  if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0) return sys_error("chown");
  if (::fchmod(fd, mode_of(entry)) < 0) {
    if (errno != EBADF) return sys_error("chmod");
    // An O_PATH descriptor, of a device or FIFO: its link under /proc leads to the object itself and nowhere else.
    std::string self = fmt::format("/proc/self/fd/{}", fd);
    if (::chmod(self.c_str(), mode_of(entry)) < 0) return sys_error("chmod");
  }
  return set_xattrs(entry, fd);
}

Result<void> Extractor::set_xattrs(const Entry& entry, int fd) {
  for (const auto& [name, value] : entry.xattrs) {
    if (name.empty() || name.size() > 255 || name.find('\0') != std::string::npos) {
      return fail(Code::InvalidArgument, "invalid name of an extended attribute");
    }
    if (!is_wanted_xattr(name, options_.strip_special_xattrs)) continue;
    auto written = sys::write_xattr(fd, name, value);
    if (written) continue;
    int err = written.error().errno_value();
    // A filesystem without them, and user.* on a device or FIFO, where no filesystem has them.
    if (err == EOPNOTSUPP || (err == EPERM && name.starts_with("user."))) continue;
    return written;
  }
  return {};
}

void Extractor::note_time(const std::string& path, Time time) {
  auto [at, inserted] = times_.insert_or_assign(path, time);
  if (inserted) times_bytes_ += path.size() + 128;
  // A hostile number of directories: set these now. Making more in them may change their times again, no harm done.
  if (times_bytes_ > kMaxTimesBytes) (void)finish();
}

Result<void> Extractor::finish() {
  for (const auto& [path, time] : times_) {
    auto dir = sys::open_in_root(root_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (dir) {
      TRY_CONTEXT(set_times(dir->get(), time), path);
      continue;
    }
    // Reached through a link that has since been replaced: whatever has the name now got its own time.
    int err = dir.error().errno_value();
    if (err != ENOENT && err != ENOTDIR && err != ELOOP) return std::move(dir).error();
  }
  times_.clear();
  times_bytes_ = 0;
  return {};
}

}  // namespace sampan::image::tar
