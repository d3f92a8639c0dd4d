#pragma once
// sys/staged_mount: detached mounts on kernels that cannot make them. Only sys/mount and sys/overlay use it, and the
// runtime enters and leaves. FALLBACK(linux<5.12: no mount_setattr, open_tree, fsopen or move_mount)
//
//   the caller            StagingArea::enter(): a mount namespace of its own, and in it a tmpfs nobody else sees
//     clone_mount() ...   the mount is made on an entry of the tmpfs; the MountFd is a descriptor of it
//     clone_process()     the child's copy of the namespace has copies of the staged mounts
//   the child             adopt_staged_mounts(): its MountFds come to mean its own copies
//     attach_mount()      MS_MOVE from the stage to the target; or a bind where a user namespace locks what it inherits
//     pivot_to_cwd()      the stage stays behind; what is made later is staged in a new one above the new root
//   the caller            ~StagingArea(): back in its namespace, root and working directory
//
// Objects are named to mount(2) by their descriptors, through a procfs that is opened before anything of a container
// can be in the way: paths are not looked up again. What is never attached ends with the namespace, or with
// drop_stage().
//
// What it cannot do: idmapped mounts; changes below a mount that lies under another one at the same place; be a peer of
// the mount that holds the host's "/" (a "shared" bind from there only receives), or of any when two mounts lie over
// each other at a mount point of it.
//
// Threads: single-threaded callers; one stage for the process.
// Source: mount(2), mount_namespaces(7), Documentation/filesystems/sharedsubtree.rst.

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/mount.h"

namespace sampan::sys {

/// Whether this kernel needs all this: asked once.
bool mounts_are_staged();

/// A visit of the caller to a mount namespace with a stage; nothing at all on kernels that have the calls.
/// Blocks: no. Errors: the errno of unshare and mount; the caller is where it was.
class StagingArea final {
 public:
  static Result<StagingArea> enter();
  StagingArea() = default;
  StagingArea(StagingArea&&) noexcept = default;
  StagingArea& operator=(StagingArea&&) = delete;
  ~StagingArea();

 private:
  NsFd home_;
  DirFd root_, cwd_;
};

/// By a clone of the process that entered the area, in its own mount namespace: cuts it off from the host's (as
/// set_root_propagation(kSlave, Recursive::Yes), which is all that it does without an area), except the staged mounts.
Result<void> adopt_staged_mounts();
/// Takes away the stage that lies above the new root. Nothing when there is none.
Result<void> drop_stage();

namespace staged {

/// The parameters of a file system, as fsconfig() collects them: a file in memory.
Result<FsContextFd> open_context(const std::string& type);
Result<void> add_to_context(const FsContextFd& fs, const std::string& key, const std::string* value);
Result<MountFd> make_mount(const FsContextFd& fs, uint64_t attributes);
/// Whether mounts are made on a stage.
bool in_use();
/// Without a stage it is a mount that can be used, but not attached.
Result<MountFd> mount_filesystem(const std::string& type, const std::string& source, unsigned long flags,
                                 const std::string& data, uint64_t attributes);
/// Errors:  ENOSYS without a stage.
Result<MountFd> clone(int dir, const std::string& path, Recursive recursive);
Result<void> change(int mount, const MountChange& change, Recursive recursive);
Result<void> attach(int mount, int target);
Result<void> attach_at(int mount, const std::string& path);
/// The root was switched: the stage is out of reach.
void leave_behind();

}  // namespace staged
}  // namespace sampan::sys
