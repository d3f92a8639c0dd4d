#pragma once
// Where control groups are mounted, from the text of /proc/self/mountinfo. Pure. Source: proc(5).

#include <string_view>

#include "cgroup/cgroup.h"

namespace sampan::cgroup::internal {

/// Everything but version, v2_controllers: those need a look into the filesystem.
HostCgroups parse_hierarchies(std::string_view mountinfo);

}  // namespace sampan::cgroup::internal
