#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "sys/error.h"

namespace sampan::sys {

void internal::close_fd(int fd) {
  ::close(fd);
}

Result<Fd> open_at(int dir, const std::string& name, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::openat(dir, name.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return sys_error("open", name);
  return Fd(fd);
}

Result<Fd> open_file(const std::string& path, int flags, unsigned mode) {
  return open_at(AT_FDCWD, path, flags, mode);
}

Result<DirFd> open_dir_at(int dir, const std::string& name) {
  return TRY(open_at(dir, name, O_PATH | O_DIRECTORY)).as<DirFdTag>();
}

Result<DirFd> open_dir(const std::string& path) {
  return open_dir_at(AT_FDCWD, path);
}

Result<size_t> read_some(int fd, std::span<char> buffer) {
  ssize_t n;
  do {
    n = ::read(fd, buffer.data(), buffer.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0) return sys_error("read");
  return static_cast<size_t>(n);
}

Result<std::string> read_fd(int fd, size_t limit) {
  std::string out;
  char buffer[16384];
  for (;;) {
    size_t n = TRY(read_some(fd, buffer));
    if (n == 0) return out;
    if (out.size() + n > limit) return fail(Code::ResourceExhausted, "more than {} bytes", limit);
    out.append(buffer, n);
  }
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  auto fd = TRY(open_file(path, O_RDONLY));
  return TRY_CONTEXT(read_fd(fd.get(), limit), path);
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return sys_error("write");
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<void> write_kernel_file(const std::string& path, std::string_view value) {
  auto fd = TRY(open_file(path, O_WRONLY));
  ssize_t n;
  do {
    n = ::write(fd.get(), value.data(), value.size());
  } while (n < 0 && errno == EINTR);
  if (n < 0) return sys_error(fmt::format("write {} to", value), path);
  return {};
}

Result<void> sync_fd(int fd) {
  if (::fsync(fd) < 0) return sys_error("fsync");
  return {};
}

Result<void> sync_dir(const std::string& path) {
  auto fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY));
  TRY_CONTEXT(sync_fd(fd.get()), path);
  return {};
}

Result<void> sync_filesystem(int fd) {
  if (::syncfs(fd) < 0) return sys_error("syncfs");
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode, Durable durable) {
  std::string temporary = fmt::format("{}.tmp{}", path, ::gettid());
  auto written = [&]() -> Result<void> {
    auto fd = TRY(open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
    TRY_CONTEXT(write_all(fd.get(), content), temporary);
    if (durable == Durable::Yes) TRY_CONTEXT(sync_fd(fd.get()), temporary);
    return rename_path(temporary, path);
  }();
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  size_t slash = path.rfind('/');
  if (durable == Durable::Yes) return sync_dir(slash == std::string::npos ? "." : path.substr(0, slash + 1));
  return {};
}

Result<void> make_dirs(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  int err = errno;
  if (err == ENOENT) {
    size_t slash = path.find_last_not_of('/');
    slash = slash == std::string::npos ? slash : path.rfind('/', slash);
    if (slash == std::string::npos || slash == 0) return sys_error_of(err, "mkdir", path);
    TRY(make_dirs(path.substr(0, slash), mode));
    if (::mkdir(path.c_str(), mode) == 0) return {};
    err = errno;
  }
  struct stat info;
  if (err == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return sys_error_of(err, "mkdir", path);
}

Result<void> rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) return sys_error(fmt::format("rename \"{}\" to", from), to);
  return {};
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) return sys_error("unlink", path);
  return {};
}

bool path_exists(const std::string& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;
}

namespace {

/// Calls visit(name, d_type) for each entry of the directory behind `fd` (consumed).
template <typename Visit>
Result<void> for_each_entry(Fd fd, Visit visit) {
  DIR* dir = ::fdopendir(fd.get());
  if (!dir) return sys_error("fdopendir");
  fd.release();
  Result<void> result;
  errno = 0;
  while (dirent* entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    result = visit(::dirfd(dir), std::string(name));
    if (!result) break;
    errno = 0;
  }
  ::closedir(dir);
  return result;
}

Result<void> remove_at(int dir, const std::string& name) {
  if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return sys_error("unlink", name);
  auto children = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!children && children.error().errno_value() == EACCES) {
    // A directory without permission bits: root without DAC override still owns it.
    (void)::fchmodat(dir, name.c_str(), 0700, 0);
    children = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }
  if (!children) return std::move(children).error();
  TRY_CONTEXT(for_each_entry(std::move(*children), remove_at), name);
  if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) return sys_error("rmdir", name);
  return {};
}

}  // namespace

Result<void> remove_tree(const std::string& path) {
  return remove_at(AT_FDCWD, path);
}

Result<std::vector<std::string>> list_dir(const std::string& path) {
  std::vector<std::string> out;
  auto fd = TRY(open_file(path, O_RDONLY | O_DIRECTORY));
  TRY_CONTEXT(for_each_entry(std::move(fd),
                             [&](int, std::string name) -> Result<void> {
                               out.push_back(std::move(name));
                               return {};
                             }),
              path);
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::string> read_link(const std::string& path) {
  char buffer[4096];
  ssize_t n = ::readlink(path.c_str(), buffer, sizeof buffer);
  if (n < 0) return sys_error("readlink", path);
  return std::string(buffer, static_cast<size_t>(n));
}

namespace {

Result<void> add_usage(int dir, const std::string& name, std::set<uint64_t>& linked, DiskUsage& usage) {
  struct stat info;
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return {};
    return sys_error("stat", name);
  }
  if (info.st_nlink > 1 && !S_ISDIR(info.st_mode) && !linked.insert(info.st_ino).second) return {};
  usage.bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  usage.inodes += 1;
  if (!S_ISDIR(info.st_mode)) return {};
  auto children = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!children) return {};  // removed meanwhile
  return for_each_entry(std::move(*children),
                        [&](int inner, const std::string& child) { return add_usage(inner, child, linked, usage); });
}

}  // namespace

Result<DiskUsage> disk_usage(const std::string& path) {
  DiskUsage usage;
  std::set<uint64_t> linked;
  TRY_CONTEXT(add_usage(AT_FDCWD, path, linked, usage), path);
  return usage;
}

}  // namespace sampan::sys
