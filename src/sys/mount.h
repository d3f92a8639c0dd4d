#pragma once
// sys/mount: the descriptor-based mount interface. A mount is built detached (a MountFd), configured while nobody can
// see it, and attached last with attach_mount(); dropping the descriptor before that leaves nothing behind.
//
// Threads: any; the caller owns the mount namespace.
// Source: fsopen(2), fsconfig(2), fsmount(2), open_tree(2), move_mount(2), mount_setattr(2). Linux >= 5.12.
// FALLBACK(linux<5.12): sys/staged_mount.h, for those who enter a StagingArea first; without one ENOSYS.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

using FsContextFd = OwnedFd<struct FsContextTag>;

/// Attributes of one mount (not of its filesystem); values are the kernel's MOUNT_ATTR_*.
namespace attr {
inline constexpr uint64_t kReadOnly = 0x1, kNoSuid = 0x2, kNoDev = 0x4, kNoExec = 0x8, kAtimeMask = 0x70,
                          kRelatime = 0x0, kNoatime = 0x10, kStrictAtime = 0x20, kNoDirAtime = 0x80, kIdmap = 0x100000,
                          kNoSymFollow = 0x200000;
}  // namespace attr
/// Propagation types; values are the kernel's MS_*.
namespace propagation {
inline constexpr uint64_t kUnbindable = 1 << 17, kPrivate = 1 << 18, kSlave = 1 << 19, kShared = 1 << 20;
}  // namespace propagation

/// A context for a new filesystem of the type. Errors: NotFound (ENODEV: the kernel has no such filesystem).
Result<FsContextFd> open_fs(const std::string& type);
/// One key=value option. Errors: the errno and the kernel's own words when it gave any.
Result<void> set_fs_string(const FsContextFd& fs, const std::string& key, const std::string& value);
Result<void> set_fs_flag(const FsContextFd& fs, const std::string& key);
/// Creates the superblock and a detached mount of it with the attributes.
Result<MountFd> make_fs_mount(const FsContextFd& fs, uint64_t attributes);

enum class Recursive { No, Yes };
/// A detached copy of the mount (tree) at a path, or at the descriptor when `path` is empty.
Result<MountFd> clone_mount(int dir, const std::string& path, Recursive recursive);
/// Changes attributes of the mount at the descriptor, and of all below it when recursive. `propagation` 0 keeps it;
/// `userns` is used with attr::kIdmap.
struct MountChange {
  uint64_t set = 0, clear = 0, propagation = 0;
  int userns = -1;
};
Result<void> change_mount(int mount, const MountChange& change, Recursive recursive);
/// Puts a detached mount onto the object behind `target` (a descriptor; nothing is looked up).
Result<void> attach_mount(const MountFd& mount, int target);
/// Moves the mount at `mount` (attached or not) onto the path: for the root switch only.
Result<void> attach_mount_at(int mount, const std::string& path);

/// Propagation of the whole tree below "/" (MS_* value) of the calling process's mount namespace.
Result<void> set_root_propagation(uint64_t propagation, Recursive recursive);
Result<void> detach_mount(const std::string& path);
/// pivot_root(".", "."): the current directory becomes the root and the old root lies on top of it.
Result<void> pivot_to_cwd();
/// The superblock's magic number and the mount's flags (ST_RDONLY, ...).
struct FsFacts {
  uint64_t magic = 0;
  uint64_t mount_flags = 0;
};
Result<FsFacts> fs_facts(int fd);
namespace magic {
inline constexpr uint64_t kProc = 0x9fa0, kDevpts = 0x1cd1, kCgroup2 = 0x63677270, kSysfs = 0x62656572,
                          kTmpfs = 0x01021994, kOverlay = 0x794c7630, kSelinux = 0xf97cff8c;
}  // namespace magic

}  // namespace sampan::sys
