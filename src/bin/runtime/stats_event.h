#pragma once
// One sample of a container as `events` prints it, in the reference runtime's layout.

#include <sys/types.h>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "codec/json.h"

namespace sampan::bin {

/// The "data" of a "stats" event. `init` tells the network interfaces. Errors: NotFound when the cgroup has gone.
Result<codec::json::object> stats_data(const cgroup::HostCgroups& host, const cgroup::Cgroup& cgroups, pid_t init);

}  // namespace sampan::bin
