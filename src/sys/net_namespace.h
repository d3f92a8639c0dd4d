#pragma once
// sys/net_namespace: a fresh network namespace for the calling, single-threaded process.

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

struct NetNamespace {
  NsFd ns;
  Fd netlink;  // NETLINK_ROUTE, bound to the namespace for good
};

/// Leaves the present network namespace for a new one, brings its loopback up, and returns handles on it.
/// Blocks:  some milliseconds. Threads: single-threaded process.
Result<NetNamespace> unshare_net_namespace();

/// Moves the calling process into the namespace `fd` for good and opens a NETLINK_ROUTE socket there.
/// Threads: single-threaded process, one that is about to end.
Result<Fd> open_netlink_in(int fd);

}  // namespace sampan::sys
