#pragma once
// network: bridges, addresses, published ports and name service, through netlink and nftables; no helper processes.
//
// Vocabulary
//   network    one bridge with one IPv4 subnet (driver "bridge"); "host" and "none" have neither.
//   endpoint   one container's veth pair on a network, with its address; derived from live containers, never stored.
//   plan       what will be done to the kernel, as a printable value; apply_ does it, undo_ takes it back.
//
// Everything of ours in the kernel carries this daemon's own names (bridge, veth prefix, one nft table), so several
// daemons share a host and teardown() removes exactly what is ours. The host's own rules are never read or written.
// The container side is configured through a netlink socket that was opened inside its namespace: no setns here.
//
// A host port is held by a bound socket, so other programs and other daemons see it taken; IPv4 reaches the container
// by nftables, IPv6 (TCP only) by a relay on that socket. Containers find a name server on their bridge's gateway
// address. While the daemon is down, published IPv4 ports and everything between containers go on; names and the relay
// pause. A host firewall whose own forward chain drops by policy cannot be overruled from another table: it must accept
// what goes to and comes from our bridges. docs/design/network.md tells the whole way of a packet.
//
// Threads: any; one mutex around address and port tables, never held across a wait for a container.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"
#include "sys/fd.h"

namespace sampan::network {

struct NetworkRecord {
  std::string id, name, driver, scope = "local", created;
  std::string subnet, gateway;  // "172.17.0.0/16", "172.17.0.1"; empty for host and none
  std::string ip_range;         // where addresses are chosen from; "" is the whole subnet
  std::string bridge;           // interface name
  bool internal = false, attachable = false, enable_ipv6 = false, builtin = false;
  std::map<std::string, std::string> options, labels;
};

struct CreateNetwork {
  std::string name, driver = "bridge", subnet, gateway, ip_range;
  bool internal = false, attachable = false, enable_ipv6 = false;
  std::map<std::string, std::string> options, labels;
};

struct PortMapping {
  std::string protocol = "tcp";  // tcp udp sctp
  uint16_t container_port = 0;
  std::string host_ip;     // "" is every address
  uint16_t host_port = 0;  // 0: pick one from 32768..60999
  auto operator<=>(const PortMapping&) const = default;
};

/// What a live container holds on one network; enough to find it again after a daemon restart.
struct Endpoint {
  std::string network_id, endpoint_id, container_id;
  std::string container_name;
  std::vector<std::string> dns_names;   // name, aliases, short id
  std::string interface_name = "eth0";  // inside
  std::string host_interface;
  std::string ip_address, gateway, mac_address;
  int prefix_len = 0;
  std::vector<PortMapping> ports;  // resolved
};

struct AttachRequest {
  std::string network;  // id or name
  std::string container_id, container_name;
  std::vector<std::string> aliases;
  std::string wanted_ip, wanted_mac;
  std::vector<PortMapping> ports;
  std::string interface_name = "eth0";
  bool default_gateway = true;
};

class Networks {
 public:
  virtual ~Networks() = default;
  /// Reads the kernel's state and makes it match the records and `live`, which are the endpoints of running containers:
  /// addresses and ports are taken again, links of nobody are removed, the nft table is rewritten in one batch.
  virtual Result<void> recover(const std::vector<Endpoint>& live) = 0;

  /// Known options: com.docker.network.bridge.{name,enable_icc,enable_ip_masquerade,host_binding_ipv4} and
  /// com.docker.network.driver.mtu; other com.docker.network.* are NotImplemented, foreign keys are only kept.
  /// `enable_ipv6` leaves link-local addresses on; no IPv6 subnets are given out.
  virtual Result<NetworkRecord> create(const CreateNetwork& request) = 0;
  virtual Result<NetworkRecord> get(const std::string& id_or_name) = 0;
  virtual std::vector<NetworkRecord> list() = 0;
  virtual std::vector<Endpoint> endpoints(const std::string& network_id) = 0;
  virtual Result<void> remove(const std::string& id_or_name) = 0;

  /// Puts a container's namespace on a network: veth, address, route, ports, names. On failure nothing is left. The
  /// link carries traffic when this returns. Internal networks give no gateway and publish no ports. On "host" and
  /// "none" only the endpoint is remembered. Blocks:  well under a millisecond unless others hold the kernel's rtnl
  /// lock. Errors:  Conflict "Bind for 0.0.0.0:8080 failed: port is already allocated", "Address already in use";
  ///          ResourceExhausted (no address); NotImplemented (UDP on an IPv6 address).
  virtual Result<Endpoint> attach(const AttachRequest& request, const sys::NsFd& ns, const sys::Fd& netlink_inside) = 0;
  /// Gives back address and ports and removes the link. Unknown endpoints are success.
  /// Blocks:  some 10 ms: the kernel waits until nobody looks at the link any more.
  virtual Result<void> detach(const Endpoint& endpoint) = 0;
  virtual void rename(const std::string& container_id, const std::string& new_name) = 0;

  /// The name server to write into a container's resolv.conf: the gateway of a user-defined network, or "" on the
  /// default bridge, where containers get the host's own resolvers.
  virtual std::string nameserver(const std::string& network_id) = 0;
  /// Address of this daemon's resolver on any bridge, the default one included: for hosts whose own resolvers listen
  /// on loopback addresses. "" for networks without a bridge.
  virtual std::string resolver_address(const std::string& network_id) = 0;
  /// Removes every link, address and table of this daemon. For an orderly shutdown without running containers.
  virtual Result<void> teardown() = 0;
};

/// Subnets of `size` bits out of `base`.
struct SubnetPool {
  std::string base;
  int size = 0;
};

struct NetworksOptions {
  std::string instance;        // distinguishes daemons on one host: "" for the default one, else e.g. "a1b2c3"
  std::string bridge_address;  // --bip, "" picks a free subnet
  std::vector<std::string> upstream_dns;                    // from the host's resolv.conf
  std::map<std::string, std::string> bridge_options = {};   // of the default bridge, over its built-in ones
  std::string bridge_range = {};                            // --fixed-cidr, "" is its whole subnet
  std::string bridge_gateway = {};                          // of its containers, "" is the bridge itself
  bool no_bridge = false;                                   // there is no default bridge
  std::vector<SubnetPool> pools = {};                       // where subnets come from; empty: Docker's list
  std::map<std::string, std::string> network_options = {};  // of new networks that do not say otherwise
};
Result<std::unique_ptr<Networks>> open_networks(store::Store& store, NetworksOptions options);

}  // namespace sampan::network
