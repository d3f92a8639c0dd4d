#pragma once
// sys/overlay: overlay file systems on every kernel. A list of lower directories is given one by one ("lowerdir+")
// since Linux 6.5; before, they are one colon-separated string, which older kernels bound to a page.
//
// Threads: any; the caller owns the mount namespace.
// Source: kernel Documentation/filesystems/overlayfs.rst "Multiple lower layers".

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

/// One string for kernels that know no "lowerdir+": the paths with what separates them escaped.
std::string join_lower_dirs(const std::vector<std::pair<std::string, std::string>>& values);

/// A detached mount of a new overlay with the attributes (sys/mount.h).
/// Errors:  the errno of fsopen, fsconfig, fsmount; InvalidArgument before Linux 6.5 for more than a page of paths.
Result<MountFd> make_overlay_mount(const OverlayOptions& options, uint64_t attributes);

}  // namespace sampan::sys
