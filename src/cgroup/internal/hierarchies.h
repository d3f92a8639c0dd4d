#pragma once
// Where control groups are mounted and where a process is in them, from the texts of /proc/self. Pure. Source: proc(5).

#include <string_view>

#include "cgroup/cgroup.h"

namespace sampan::cgroup::internal {

/// Everything but version, v2_controllers: those need a look into the filesystem.
HostCgroups parse_hierarchies(std::string_view mountinfo);
/// base_of_relative_paths(), from the text of /proc/self/cgroup.
std::string parent_of_own(std::string_view memberships);

}  // namespace sampan::cgroup::internal
