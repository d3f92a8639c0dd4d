#include "sys/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "sys/error.h"
#include "sys/file.h"

namespace sampan::sys {
namespace {

// A container can make trees deeper than a process may have descriptors. Below this depth a directory is first moved
// up to the top of the tree that is being removed, and met there again.
constexpr int kMaxDepth = 48;

struct Removal {
  int top = -1;
  unsigned long lifted = 0;
};

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

Result<Dir> open_children(int dir, const std::string& name) {
  auto fd = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd && fd.error().errno_value() == EACCES) {
    // A directory without permission bits, for an owner without DAC override.
    (void)::fchmodat(dir, name.c_str(), 0700, 0);
    fd = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }
  if (!fd) return std::move(fd).error();
  DIR* children = ::fdopendir(fd->get());
  if (!children) return sys_error("fdopendir", name);
  (void)fd->release();  // the DIR owns it now
  return Dir(children);
}

Result<void> remove_at(int dir, const std::string& name, int depth, Removal& removal);

Result<void> lift(int dir, const std::string& name, Removal& removal) {
  for (;;) {
    std::string target = fmt::format(".lifted-{}", removal.lifted++);
    struct stat info;
    if (::fstatat(removal.top, target.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) continue;
    if (::renameat(dir, name.c_str(), removal.top, target.c_str()) == 0 || errno == ENOENT) return {};
    return sys_error("rename", name);
  }
}

Result<void> empty_dir(DIR* children, int depth, Removal& removal) {
  errno = 0;
  while (dirent* entry = ::readdir(children)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") TRY(remove_at(::dirfd(children), name, depth + 1, removal));
    errno = 0;
  }
  if (errno != 0) return sys_error("readdir");
  return {};
}

Result<void> remove_at(int dir, const std::string& name, int depth, Removal& removal) {
  if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return sys_error("unlink", name);
  int first = errno;
  if (depth >= kMaxDepth) return lift(dir, name, removal);
  auto children = open_children(dir, name);
  if (!children) {
    int err = children.error().errno_value();
    if (err == ENOENT) return {};
    // Not a directory: what unlink said is the reason (an immutable file).
    return err == ENOTDIR || err == ELOOP ? sys_error_of(first, "unlink", name) : std::move(children).error();
  }
  if (depth == 0) removal.top = ::dirfd(children->get());
  // Entries lifted to the top while it was read may or may not be seen by that reading: read again until it is empty.
  for (;;) {
    TRY(empty_dir(children->get(), depth, removal));
    if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (errno != ENOTEMPTY || depth != 0) return sys_error("rmdir", name);
    ::rewinddir(children->get());
  }
}

std::string fd_path(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

bool has_no_attributes(int err) {
  return err == EOPNOTSUPP || err == ENODATA || err == EPERM || err == EACCES;
}

}  // namespace

Result<void> remove_tree_at(int dir, const std::string& name) {
  Removal removal;
  return remove_at(dir, name, 0, removal);
}

Result<std::string> read_xattr(int fd, const std::string& name) {
  std::string path = fd_path(fd), value(256, '\0');
  for (;;) {
    ssize_t n = ::getxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (n >= 0) {
      value.resize(static_cast<size_t>(n));
      return value;
    }
    if (has_no_attributes(errno)) return std::string();
    if (errno != ERANGE) return sys_error("getxattr", name);
    value.resize(value.size() * 8);  // the kernel's limit is 64 KiB
    if (value.size() > (1 << 20)) return sys_error_of(ERANGE, "getxattr", name);
  }
}

Result<Xattrs> read_xattrs(int fd) {
  std::string path = fd_path(fd);
  std::string names(1024, '\0');
  ssize_t n;
  while ((n = ::listxattr(path.c_str(), names.data(), names.size())) < 0) {
    if (has_no_attributes(errno)) return Xattrs();
    if (errno != ERANGE || names.size() >= (1 << 20)) return sys_error("listxattr");
    names.resize(names.size() * 8);
  }
  Xattrs out;
  for (size_t at = 0; at < static_cast<size_t>(n);) {
    std::string name(names.c_str() + at);
    at += name.size() + 1;
    std::string value = TRY(read_xattr(fd, name));
    out.emplace_back(std::move(name), std::move(value));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<void> write_xattr(int fd, const std::string& name, std::string_view value) {
  if (::setxattr(fd_path(fd).c_str(), name.c_str(), value.data(), value.size(), 0) < 0)
    return sys_error("setxattr", name);
  return {};
}

}  // namespace sampan::sys
