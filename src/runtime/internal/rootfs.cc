#include <fcntl.h>
#include <unistd.h>

#include "base/strings.h"
#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"
#include "sys/staged_mount.h"

namespace sampan::runtime::internal {
namespace {

uint64_t propagation_of(std::string_view name) {
  if (name.starts_with('r')) name.remove_prefix(1);
  if (name == "shared") return sys::propagation::kShared;
  if (name == "slave") return sys::propagation::kSlave;
  if (name == "private") return sys::propagation::kPrivate;
  if (name == "unbindable") return sys::propagation::kUnbindable;
  return 0;
}

Result<sys::DirFd> duplicate(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return sys::sys_error("dup");
  return sys::DirFd(copy);
}

}  // namespace

// Nothing that is mounted from here on may reach the host.
Result<void> isolate_mounts(Child& child) {
  if (!child.container->own_mount_namespace) return {};
  if (sys::mounts_are_staged()) return sys::adopt_staged_mounts();
  return sys::set_root_propagation(sys::propagation::kSlave, sys::Recursive::Yes);
}

// The root file system was built detached by the parent. It is put on top of "/": lookups that start at this process's
// root still see the host's tree below it, until enter_rootfs() switches.
Result<void> attach_rootfs(Child& child) {
  if (!child.container->own_mount_namespace) {
    child.root = TRY(sys::open_dir("/"));
    return {};
  }
  TRY(sys::attach_mount_at(child.container->rootfs.get(), "/"));
  child.root = TRY(duplicate(child.container->rootfs.get()));
  return {};
}

Result<void> enter_rootfs(Child& child) {
  if (!child.container->own_mount_namespace) return {};
  if (::fchdir(child.root.get()) < 0) return sys::sys_error("fchdir", "root file system");
  if (child.container->no_pivot) {
    if (::chroot(".") < 0) return sys::sys_error("chroot");
    sys::staged::leave_behind();
  } else {
    // The old root ends up on top of the new one's own directory, so no directory in the image is needed for it.
    TRY(sys::pivot_to_cwd());
    TRY(sys::detach_mount("."));
  }
  if (::chdir("/") < 0) return sys::sys_error("chdir", "/");
  return {};
}

Result<void> finish_rootfs(Child& child) {
  if (!child.container->own_mount_namespace) return {};
  const auto& spec = *child.container->spec;
  if (spec.linux_ && !spec.linux_->rootfs_propagation.empty()) {
    uint64_t propagation = propagation_of(spec.linux_->rootfs_propagation);
    if (propagation == 0)
      return fail(Code::InvalidArgument, "unknown rootfsPropagation \"{}\"", spec.linux_->rootfs_propagation);
    bool recursive = spec.linux_->rootfs_propagation.starts_with('r');
    TRY(sys::change_mount(child.root.get(), {.propagation = propagation},
                          recursive ? sys::Recursive::Yes : sys::Recursive::No));
  }
  if (spec.root && spec.root->readonly)
    TRY(sys::change_mount(child.root.get(), {.set = sys::attr::kReadOnly}, sys::Recursive::No));
  return {};
}

// setns puts a process at its mount namespace's root, which is not the container's when that was entered by chroot.
Result<void> open_joined_root(Child& child) {
  if (::fchdir(child.join->root.get()) < 0) return sys::sys_error("fchdir", "container root");
  auto wanted = TRY(sys::stat_fd(child.join->root.get()));
  struct stat now;
  if (::stat("/", &now) < 0) return sys::sys_error("stat", "/");
  if ((wanted.st_dev != now.st_dev || wanted.st_ino != now.st_ino) && ::chroot(".") < 0)
    return sys::sys_error("chroot");
  if (::chdir("/") < 0) return sys::sys_error("chdir", "/");
  child.root = TRY(sys::open_dir("/"));
  return {};
}

}  // namespace sampan::runtime::internal
