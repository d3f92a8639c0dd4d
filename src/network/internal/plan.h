#pragma once
// network/plan: what attaching one container does to the kernel, as a printable value, and the hands that do it.
//
// The plan is pure. apply_attach() runs it in three messages' worth of system calls: one batch outside, one inside the
// container's namespace, one nftables transaction; on failure the link is gone again, and with it everything inside.

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "network/internal/firewall.h"
#include "network/internal/ipv4.h"
#include "network/network.h"
#include "sys/fd.h"

namespace sampan::network {

struct AddVeth {
  std::string host_interface, bridge, inside_interface, mac;
  uint32_t mtu = 0;
};
struct SetBridgePort {
  std::string host_interface;
  bool isolated = false, hairpin = false;
};
struct BringUpOutside {
  std::string host_interface;
};
struct BringUpInside {
  std::string interface;
  bool ipv6 = false;
};
struct AddAddressInside {
  std::string interface;
  Ipv4 address = 0;
  int prefix_len = 0;
};
struct AddDefaultRouteInside {
  Ipv4 gateway = 0;
};
struct PublishPort {
  PublishedPort port;
};
using Change = std::variant<AddVeth, SetBridgePort, BringUpOutside, BringUpInside, AddAddressInside,
                            AddDefaultRouteInside, PublishPort>;

enum class DefaultRoute { No, Yes };
std::vector<Change> plan_attach(const NetworkRecord& network, const Endpoint& endpoint, DefaultRoute route);
/// One line, e.g. `add veth vsp-12ab to sampan0, eth0 02:42:ac:11:00:02 inside`.
std::string format_change(const Change& change);

using PublishPorts = std::function<Result<void>(const std::vector<PublishedPort>&)>;
/// `publish` makes the plan's ports known to the firewall, last and all at once.
/// Blocks: for the kernel's rtnl lock. Errors: errno of the refused change; nothing is left then.
Result<void> apply_attach(const std::vector<Change>& plan, int bridge_index, const sys::NsFd& ns,
                          const sys::Fd& netlink_inside, const PublishPorts& publish);

/// What the firewall needs to know about an endpoint's ports; those bound to IPv6 addresses are not its business.
std::vector<PublishedPort> published_ports(const Endpoint& endpoint);

}  // namespace sampan::network
