#pragma once
// sys/rtnetlink: links, IPv4 addresses and routes as typed messages. Addresses are in host byte order.
//
// The put_ functions append to a batch; run_route_batch() sends it. A message may be marked as one whose failure with a
// certain errno does not matter.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/netlink.h"

namespace sampan::sys {

/// A batch of rtnetlink messages, each with a name for its error and the errnos that it may end with.
class RouteBatch {
 public:
  /// An `mtu` of 0 is the kernel's default. An existing bridge of that name is success.
  void add_bridge(const std::string& name, const std::string& mac, uint32_t mtu);
  /// One pair: `name` in this namespace, already a port of `master`; `peer` is born in the namespace `peer_ns`.
  void add_veth(const std::string& name, int master_index, const std::string& peer, const std::string& peer_mac,
                int peer_ns, uint32_t mtu);
  /// No link-local address is made when the link comes up. Kernels without IPv6 are content.
  void no_ipv6_addresses(const std::string& name);
  void set_up(const std::string& name);
  /// Asking for a link makes the kernel (since 6.8) act on its new carrier now instead of in a work queue; until then
  /// a bridge forwards nothing to the port, and the first ARP request is lost for a second.
  void settle_carrier(const std::string& name);
  void set_master(const std::string& name, int master_index);
  /// An isolated bridge port reaches only ports that are not; a hairpin port gets frames back that it sent.
  struct PortFlags {
    bool isolated = false, hairpin = false;
  };
  void set_port(const std::string& name, PortFlags flags);
  /// Missing links are success.
  void delete_link(const std::string& name);
  void add_address(int link_index, uint32_t address, int prefix_len);
  void delete_address(int link_index, uint32_t address, int prefix_len);
  void add_default_route(uint32_t gateway);

  /// Sends everything in one sendmsg. Errors: that of the first message that failed and may not.
  Result<void> run(int fd);
  bool empty() const { return batch_.empty(); }

 private:
  void begin(uint16_t type, uint16_t flags, std::string_view header, std::string what, std::vector<int> tolerated = {});
  void begin_link_change(const std::string& name, unsigned flags, unsigned mask, std::string what,
                         std::vector<int> tolerated = {});
  struct Operation {
    std::string what;
    std::vector<int> tolerated;
  };
  NetlinkBatch batch_;
  std::vector<Operation> operations_;
};

struct LinkInfo {
  int index = 0, master = 0;
  std::string name, kind;
  bool up = false;
};
struct AddressInfo {
  int link_index = 0;
  uint32_t address = 0;
  int prefix_len = 0;
};
struct RouteInfo {
  uint32_t destination = 0;
  int prefix_len = 0;
  int link_index = 0;
};

Result<std::vector<LinkInfo>> list_links(int fd);
Result<std::vector<AddressInfo>> list_ipv4_addresses(int fd);
/// Routes of every table; the default route has prefix_len 0.
Result<std::vector<RouteInfo>> list_ipv4_routes(int fd);
/// The index of one link, asked for by name. Errors: NotFound (ENODEV).
Result<int> find_link_index(int fd, const std::string& name);

}  // namespace sampan::sys
