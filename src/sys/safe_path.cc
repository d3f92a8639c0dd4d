#include "sys/safe_path.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <vector>

#include "sys/error.h"
#include "sys/file.h"
#include "sys/path_walk.h"

namespace sampan::sys {
namespace {

constexpr long kRetryNanoseconds = 2'000'000;
constexpr int kMaxLinks = 40;  // as the kernel's own limit

long now_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000L + now.tv_nsec;
}

/// The path without leading and trailing slashes and trailing "/." parts; "." for the root.
std::string normal_tail(std::string_view path) {
  for (;;) {
    if (path.ends_with('/'))
      path.remove_suffix(1);
    else if (path.ends_with("/."))
      path.remove_suffix(2);
    else
      break;
  }
  while (path.starts_with('/')) path.remove_prefix(1);
  return path.empty() ? "." : std::string(path);
}

/// -errno or a descriptor.
int openat2_in_root(int root, const char* path, int flags, unsigned mode) {
  static std::atomic<bool> missing = false;  // FALLBACK(linux<5.6): found out once
  flags |= O_CLOEXEC | ((flags & O_PATH) ? 0 : O_NOCTTY);
  if (missing.load(std::memory_order_relaxed)) return walk_in_root(root, path, flags, mode);
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags);
  if (flags & O_CREAT) how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  long deadline = 0;
  for (;;) {
    long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno == EINTR) continue;
    if (errno == ENOSYS) {
      missing.store(true, std::memory_order_relaxed);
      return walk_in_root(root, path, flags, mode);
    }
    if (errno != EAGAIN) return -errno;
    long now = now_ns();
    if (deadline == 0)
      deadline = now + kRetryNanoseconds;
    else if (now > deadline)
      return -EAGAIN;
  }
}

bool splits(std::string_view path, std::string& parent, std::string& name) {
  std::string tail = normal_tail(path);
  size_t slash = tail.rfind('/');
  name = slash == std::string::npos ? tail : tail.substr(slash + 1);
  parent = slash == std::string::npos ? "." : tail.substr(0, slash);
  return name != "." && name != "..";
}

std::string link_target(int dir, const std::string& name) {
  char target[4096];
  ssize_t n = ::readlinkat(dir, name.c_str(), target, sizeof target);
  return n > 0 ? std::string(target, static_cast<size_t>(n)) : std::string();
}

/// Walks one component at a time from the root, so that what is missing can be made. `pending` holds what is still to
/// walk, last component first. `done` is the path so far, already free of links: each step is a fresh lookup from
/// the root, so ".." and links can never lead out of it.
Result<DirFd> walk_making(int root, std::vector<std::string> pending, unsigned mode, std::string_view whole) {
  std::string done;
  int links = 0;
  while (!pending.empty()) {
    std::string name = std::move(pending.back());
    pending.pop_back();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      size_t slash = done.rfind('/');
      done.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    auto dir = TRY(open_dir_in_root(root, done));
    std::string target = link_target(dir.get(), name);
    if (!target.empty()) {
      if (++links > kMaxLinks) return sys_error_of(ELOOP, "mkdir", whole);
      if (target.starts_with('/')) done.clear();
      for (size_t end = target.size(); end > 0;) {
        size_t slash = target.rfind('/', end - 1);
        size_t begin = slash == std::string::npos ? 0 : slash + 1;
        pending.push_back(target.substr(begin, end - begin));
        end = slash == std::string::npos ? 0 : slash;
      }
      continue;
    }
    if (::mkdirat(dir.get(), name.c_str(), mode) == 0) {
      auto made = TRY(open_at(dir.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      if (::fchmod(made.get(), mode) < 0) return sys_error("chmod", name);  // whatever the umask is
    } else if (errno != EEXIST) {
      return sys_error("mkdir", whole);
    }
    if (!done.empty()) done += '/';
    done += name;
  }
  return open_dir_in_root(root, done);
}

}  // namespace

Result<Fd> open_in_root(int root, std::string_view path, int flags, unsigned mode) {
  if (path.find('\0') != std::string_view::npos) return fail(Code::InvalidArgument, "a path with a NUL byte");
  int fd = openat2_in_root(root, normal_tail(path).c_str(), flags, mode);
  if (fd < 0) return sys_error_of(-fd, "open", path);
  return Fd(fd);
}

Result<DirFd> open_dir_in_root(int root, std::string_view path) {
  return TRY(open_in_root(root, path, O_PATH | O_DIRECTORY)).as<DirFdTag>();
}

Result<DirFd> make_dirs_in_root(int root, std::string_view path, unsigned mode) {
  auto existing = open_dir_in_root(root, path);
  if (existing || existing.error().errno_value() != ENOENT) return existing;
  std::vector<std::string> pending;
  std::string tail = normal_tail(path);
  for (size_t end = tail.size(); end > 0;) {
    size_t slash = tail.rfind('/', end - 1);
    size_t begin = slash == std::string::npos ? 0 : slash + 1;
    pending.push_back(tail.substr(begin, end - begin));
    end = slash == std::string::npos ? 0 : slash;
  }
  return walk_making(root, std::move(pending), mode, path);
}

Result<ParentAndName> open_parent_in_root(int root, std::string_view path) {
  std::string parent, name;
  if (!splits(path, parent, name)) return fail(Code::InvalidArgument, "\"{}\" names no entry of a directory", path);
  return ParentAndName(TRY(open_dir_in_root(root, parent)), std::move(name));
}

namespace {

/// Where a path ends whose last component may be a dangling link, or a chain of them. The directories on the way are
/// made. The result may hold links and "..": it is for one more lookup inside the root.
Result<std::string> end_of_links(int root, std::string path) {
  for (int links = 0; links <= kMaxLinks; ++links) {
    std::string parent, name;
    if (!splits(path, parent, name)) return fail(Code::InvalidArgument, "\"{}\" names no entry of a directory", path);
    auto dir = TRY(make_dirs_in_root(root, parent, 0755));
    std::string target = link_target(dir.get(), name);
    if (target.empty()) return path;
    path = target.starts_with('/') ? target : parent + "/" + target;
  }
  return sys_error_of(ELOOP, "open", path);
}

}  // namespace

Result<Fd> create_file_in_root(int root, std::string_view path, unsigned mode, FileType existing) {
  auto found = open_in_root(root, path, O_PATH);
  if (!found && found.error().errno_value() == ENOENT) {
    std::string end = TRY(end_of_links(root, std::string(path)));
    int fd = openat2_in_root(root, normal_tail(end).c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    if (fd >= 0) return Fd(fd);
    if (fd != -EEXIST) return sys_error_of(-fd, "open", path);
    found = open_in_root(root, path, O_PATH);
  }
  if (!found) return std::move(found).error();
  auto info = TRY(stat_fd(found->get()));
  if (S_ISDIR(info.st_mode)) return sys_error_of(EISDIR, "open", path);
  if (existing == FileType::Any) return found;
  if (!S_ISREG(info.st_mode)) return fail(Code::InvalidArgument, "\"{}\" is not a regular file", path);
  int fd = openat2_in_root(root, normal_tail(path).c_str(), O_RDWR | O_NONBLOCK, 0);
  if (fd < 0) return sys_error_of(-fd, "open", path);
  Fd file(fd);
  if (!S_ISREG(TRY(stat_fd(fd)).st_mode)) return fail(Code::InvalidArgument, "\"{}\" is not a regular file", path);
  return file;
}

Result<std::string> read_file_in_root(int root, std::string_view path, size_t limit) {
  auto file = TRY(open_in_root(root, path, O_RDONLY | O_NONBLOCK));
  auto info = TRY(stat_fd(file.get()));
  if (!S_ISREG(info.st_mode)) return fail(Code::InvalidArgument, "\"{}\" is not a regular file", path);
  return TRY_CONTEXT(read_fd(file.get(), limit), std::string(path));
}

Result<struct stat> stat_fd(int fd) {
  struct stat info;
  if (::fstatat(fd, "", &info, AT_EMPTY_PATH) < 0) return sys_error("fstat");
  return info;
}

Result<Fd> reopen_fd(int fd, int flags) {
  auto proc = TRY(open_file("/proc/self/fd", O_PATH | O_DIRECTORY));
  struct statfs info;
  if (::fstatfs(proc.get(), &info) < 0) return sys_error("fstatfs", "/proc/self/fd");
  if (info.f_type != PROC_SUPER_MAGIC) return fail(Code::PermissionDenied, "/proc is not a proc filesystem");
  return open_at(proc.get(), std::to_string(fd), flags);
}

}  // namespace sampan::sys
