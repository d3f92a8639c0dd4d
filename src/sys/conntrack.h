#pragma once
// sys/conntrack: forgetting flows that a change of address translation has made wrong.

#include <cstdint>
#include <functional>

#include "base/result.h"

namespace sampan::sys {

/// Deletes the IPv4 flows of `protocol` whose original destination port `matches`. A flow that ends meanwhile is fine.
/// `netlink` is a NetlinkFamily::Netfilter socket.
/// Blocks: for a walk over the connection table of this namespace.
Result<void> forget_flows(int netlink, uint8_t protocol, const std::function<bool(uint16_t port)>& matches);

}  // namespace sampan::sys
