#pragma once
// sys/old_mount_flags: mount(2)'s flags and option strings, and what /proc tells of mounts, for sys/staged_mount. Pure.
//
// Threads: any.
// Source: mount(2), statvfs(3), proc_pid_mountinfo(5), proc_pid_fdinfo(5).

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sampan::sys {

inline constexpr unsigned long kStatNoSymFollow = 0x2000;

/// MS_* of a mount with the attributes (attr::k*). The time of access is always said, or a remount would keep it.
unsigned long mount_flags_of(uint64_t attributes);
/// attr::k* of statvfs's f_flag.
uint64_t attributes_of_statvfs(unsigned long flags);

/// The parameters of a file system for mount(2).
struct MountData {
  std::string source, data;
  unsigned long flags = 0;  // those that fsconfig() takes as words: "ro", "sync", ...
};
/// From words with and without a value. Errors: InvalidArgument for a comma in a value, which mount(2) cannot be told.
Result<void> add_parameter(MountData& to, std::string_view key, const std::string* value);

/// "mnt_id:" of a file in /proc/self/fdinfo.
Result<int64_t> mount_id_of(std::string_view fdinfo);
/// Ids of all mounts below the mount, parents first, and where they are, seen from it.
Result<std::vector<std::pair<int64_t, std::string>>> children_in_mountinfo(std::string_view mountinfo, int64_t top);
struct MountAbove {
  int64_t id = 0;
  std::string point;
};
/// The mounts that the mount lies on, the nearest first, up to the root's.
std::vector<MountAbove> mounts_above(std::string_view mountinfo, int64_t mount);
/// The mount points of the mounts on `parent`, without the one that is `but`.
std::vector<std::string> points_directly_below(std::string_view mountinfo, int64_t parent, int64_t but);
/// Whether a mount is shared that is neither `but` nor below it.
bool has_shared_outside(std::string_view mountinfo, int64_t but);

}  // namespace sampan::sys
