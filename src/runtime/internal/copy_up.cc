#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::runtime::internal {
namespace {

constexpr int kMaxDepth = 256;

Result<void> set_metadata(int to, const char* name, const struct stat& info) {
  if (::fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) < 0) return sys::sys_error("chown", name);
  // After chown, which clears the set-id bits. `name` was made by this process just now, in a mount nobody else sees.
  if (!S_ISLNK(info.st_mode) && ::fchmodat(to, name, info.st_mode & 07777, 0) < 0) return sys::sys_error("chmod", name);
  timespec times[2] = {info.st_atim, info.st_mtim};
  if (::utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0) return sys::sys_error("utimensat", name);
  return {};
}

Result<void> copy_file(int from, int to, const char* name) {
  auto source = TRY(sys::open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  auto copy = TRY(sys::open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  for (;;) {
    ssize_t n = ::sendfile(copy.get(), source.get(), nullptr, 1 << 20);
    if (n < 0) return sys::sys_error("sendfile", name);
    if (n == 0) return {};
  }
}

Result<void> copy_link(int from, int to, const char* name) {
  char target[4096];
  ssize_t n = ::readlinkat(from, name, target, sizeof target - 1);
  if (n < 0) return sys::sys_error("readlink", name);
  target[n] = '\0';
  if (::symlinkat(target, to, name) < 0) return sys::sys_error("symlink", name);
  return {};
}

Result<void> copy_entry(int from, int to, const char* name, int depth) {
  struct stat info;
  if (::fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return sys::sys_error("stat", name);
  if (S_ISDIR(info.st_mode)) {
    if (::mkdirat(to, name, 0700) < 0) return sys::sys_error("mkdir", name);
    auto below = TRY(sys::open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    auto copy = TRY(sys::open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    TRY(copy_directory(below.get(), copy.get(), depth + 1));
  } else if (S_ISREG(info.st_mode)) {
    TRY(copy_file(from, to, name));
  } else if (S_ISLNK(info.st_mode)) {
    TRY(copy_link(from, to, name));
  } else if (::mknodat(to, name, info.st_mode & S_IFMT, info.st_rdev) < 0) {
    return sys::sys_error("mknod", name);
  }
  return set_metadata(to, name, info);
}

}  // namespace

Result<void> copy_directory(int from, int to, int depth) {
  if (depth > kMaxDepth) return fail(Code::InvalidArgument, "directories nested deeper than {}", kMaxDepth);
  auto again = TRY(sys::open_at(from, ".", O_RDONLY | O_DIRECTORY));
  std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(again.get()), ::closedir);
  if (!listing) return sys::sys_error("opendir");
  again.release();  // the listing owns it now
  while (dirent* entry = ::readdir(listing.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") TRY(copy_entry(from, to, entry->d_name, depth));
  }
  return {};
}

}  // namespace sampan::runtime::internal
