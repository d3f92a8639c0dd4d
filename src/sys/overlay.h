#pragma once
// sys/overlay: overlay file systems on every kernel. A list of lower directories is given one by one ("lowerdir+")
// since Linux 6.5. Before, they are one colon-separated string, and fsconfig() takes no more than 255 bytes of it:
// there the overlay is mounted the old way, in a mount namespace that exists for just that, and comes back detached.
//
// Threads: any; the caller owns the mount namespace.
// Source: kernel Documentation/filesystems/overlayfs.rst "Multiple lower layers"; fsconfig(2).

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

struct OverlayOptions {
  std::string source = "overlay";                           // what mountinfo shows
  std::vector<std::string> flags;                           // options without a value
  std::vector<std::pair<std::string, std::string>> values;  // "lowerdir+" nearest first, "upperdir", "workdir", ...
};

/// The options as mount(2) takes them, with what separates them escaped.
std::string overlay_mount_data(const OverlayOptions& options);

/// A detached mount of a new overlay with the attributes (sys/mount.h).
/// Errors:  the errno of fsopen, fsconfig, fsmount; before Linux 6.5 of unshare, mount, open_tree.
Result<MountFd> make_overlay_mount(const OverlayOptions& options, uint64_t attributes);
/// The same as kernels before 6.5 need it; works on later ones too.
Result<MountFd> make_overlay_mount_apart(const OverlayOptions& options, uint64_t attributes);

/// The overlay with every layer id-mapped by the user namespace: files on disk keep the ids that they have inside. All
/// layers lie below one directory of one file system; `root_uid` and `root_gid` are the host's for the root inside.
/// Errors:  EINVAL where the file system of the layers, or a kernel before 5.19, cannot; as above.
Result<MountFd> make_idmapped_overlay_mount(const OverlayOptions& options, uint64_t attributes, const NsFd& userns,
                                            uid_t root_uid, gid_t root_gid);
/// The same as kernels before 6.15 need it.
Result<MountFd> make_idmapped_overlay_mount_apart(const OverlayOptions& options, uint64_t attributes,
                                                  const NsFd& userns, uid_t root_uid, gid_t root_gid);

/// Any file system the way an overlay is mounted apart, with mount(2)'s flags: for what is used but never attached.
Result<MountFd> make_mount_apart(const std::string& type, const std::string& source, const std::string& data,
                                 unsigned long flags);

}  // namespace sampan::sys
