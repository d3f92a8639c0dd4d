#include <fcntl.h>
#include <sys/stat.h>

#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/pty.h"
#include "sys/safe_path.h"
#include "sys/staged_mount.h"

namespace sampan::runtime::internal {
namespace {

/// What covers masked paths; made when the first one is met.
struct Covers {
  sys::Fd null;        // the container's /dev/null, verified
  sys::MountFd empty;  // an attached, read-only, empty tmpfs
};

bool is_absent(const Error& error) {
  return error.errno_value() == ENOENT || error.errno_value() == ENOTDIR;
}

/// The image (or a racing container that shares a volume) may have put anything at /dev/null; a link to a procfs file
/// bound over a masked one would hand it out read-write (CVE-2025-31133).
Result<void> open_null(Child& child, Covers& covers) {
  if (covers.null.valid()) return {};
  covers.null = TRY(sys::open_in_root(child.root.get(), "/dev/null", O_PATH | O_NOFOLLOW));
  if (!sys::is_character_device(covers.null.get(), 1, 3))
    return fail(Code::PermissionDenied, "/dev/null in the root file system is not the null device");
  return {};
}

Result<void> cover_file(Child& child, Covers& covers, int target) {
  TRY(open_null(child, covers));
  auto mount = TRY(sys::clone_mount(covers.null.get(), "", sys::Recursive::No));
  return sys::attach_mount(mount, target);
}

/// One superblock for all: an empty tmpfs a path costs a superblock each, and their reaping at the end.
Result<void> cover_directory(Covers& covers, int target) {
  if (covers.empty.valid()) {
    auto copy = TRY(sys::clone_mount(covers.empty.get(), "", sys::Recursive::No));
    return sys::attach_mount(copy, target);
  }
  auto fs = TRY(sys::open_fs("tmpfs"));
  TRY(sys::set_fs_string(fs, "source", "tmpfs"));
  TRY(sys::set_fs_string(fs, "size", "0k"));
  TRY(sys::set_fs_string(fs, "mode", "755"));
  auto mount =
      TRY(sys::make_fs_mount(fs, sys::attr::kReadOnly | sys::attr::kNoSuid | sys::attr::kNoDev | sys::attr::kNoExec));
  TRY(sys::attach_mount(mount, target));
  covers.empty = std::move(mount);
  return {};
}

Result<void> mask(Child& child, Covers& covers, const std::string& path) {
  auto target = sys::open_in_root(child.root.get(), path, O_PATH);
  if (!target) return is_absent(target.error()) ? Result<void>() : Result<void>(std::move(target).error());
  bool directory = S_ISDIR(TRY(sys::stat_fd(target->get())).st_mode);
  return directory ? cover_directory(covers, target->get()) : cover_file(child, covers, target->get());
}

Result<void> protect(Child& child, const std::string& path) {
  auto target = sys::open_in_root(child.root.get(), path, O_PATH);
  if (!target) return is_absent(target.error()) ? Result<void>() : Result<void>(std::move(target).error());
  auto mount = TRY(sys::clone_mount(target->get(), "", sys::Recursive::Yes));
  TRY(sys::change_mount(mount.get(), {.set = sys::attr::kReadOnly}, sys::Recursive::Yes));
  return sys::attach_mount(mount, target->get());
}

}  // namespace

Result<void> mask_paths(Child& child) {
  if (!child.container->own_mount_namespace || !child.container->spec->linux_) return {};
  for (const auto& path : child.container->spec->linux_->readonly_paths) TRY_CONTEXT(protect(child, path), path);
  Covers covers;
  for (const auto& path : child.container->spec->linux_->masked_paths) TRY_CONTEXT(mask(child, covers, path), path);
  return sys::drop_stage();
}

}  // namespace sampan::runtime::internal
