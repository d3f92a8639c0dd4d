#pragma once
// network/bridge: one network's bridge in the kernel, and what the host itself uses.

#include <string>
#include <vector>

#include "base/result.h"
#include "network/internal/ipv4.h"
#include "network/network.h"

namespace sampan::network {

/// Makes the bridge, or takes the existing one, and gives it exactly the gateway address; returns its index.
/// IPv6 is off on it unless the network wants it, and router advertisements never count (CVE-2020-13401).
Result<int> ensure_bridge(const NetworkRecord& network);
/// Missing links are success.
Result<void> delete_links(const std::vector<std::string>& names);
/// Prefixes that the host's addresses and routes use, the default route apart.
Result<std::vector<Prefix>> host_prefixes();
bool link_exists(const std::string& name);
/// The one host-wide setting that containers need, as every engine sets it: net.ipv4.ip_forward=1.
Result<void> ensure_forwarding();

}  // namespace sampan::network
