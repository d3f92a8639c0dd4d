#include "network/internal/bridge.h"

#include "base/strings.h"
#include "network/internal/records.h"
#include "sys/file.h"
#include "sys/rtnetlink.h"

namespace sampan::network {

namespace {

/// Writes only what is not so already: /proc/sys may be read-only when somebody prepared the host.
Result<void> ensure_sysctl(const std::string& path, std::string_view value) {
  auto before = sys::read_file(path, 256);
  if (before && trim(*before) == value) return {};
  return sys::write_kernel_file(path, value);
}

Result<void> set_sysctls(const NetworkRecord& network) {
  std::string ipv4 = "/proc/sys/net/ipv4/conf/" + network.bridge;
  std::string ipv6 = "/proc/sys/net/ipv6/conf/" + network.bridge;
  // Published ports answer on 127.0.0.1: the bridge must carry answers to it. The raw chain keeps containers from it.
  TRY(ensure_sysctl(ipv4 + "/route_localnet", "1"));
  if (!sys::path_exists(ipv6)) return {};
  TRY(ensure_sysctl(ipv6 + "/accept_ra", "0"));
  return ensure_sysctl(ipv6 + "/disable_ipv6", network.enable_ipv6 ? "0" : "1");
}

}  // namespace

Result<int> ensure_bridge(const NetworkRecord& network) {
  auto socket = TRY(sys::open_netlink(sys::NetlinkFamily::Route));
  Prefix subnet = TRY(parse_prefix(network.subnet));
  Ipv4 gateway = parse_ipv4(network.gateway).value_or(subnet.network + 1);
  sys::RouteBatch first;
  first.add_bridge(network.bridge, mac_of(gateway), mtu_of(network));
  TRY(first.run(socket.get()));
  int index = TRY(sys::find_link_index(socket.get(), network.bridge));
  TRY(set_sysctls(network));
  sys::RouteBatch second;
  for (const auto& address : TRY(sys::list_ipv4_addresses(socket.get()))) {
    bool right = address.address == gateway && address.prefix_len == subnet.length;
    if (address.link_index == index && !right) second.delete_address(index, address.address, address.prefix_len);
  }
  second.add_address(index, gateway, subnet.length);
  second.set_up(network.bridge);
  TRY(second.run(socket.get()));
  return index;
}

Result<void> delete_links(const std::vector<std::string>& names) {
  auto socket = TRY(sys::open_netlink(sys::NetlinkFamily::Route));
  sys::RouteBatch batch;
  for (const auto& name : names) batch.delete_link(name);
  return batch.run(socket.get());
}

Result<std::vector<Prefix>> host_prefixes() {
  auto socket = TRY(sys::open_netlink(sys::NetlinkFamily::Route));
  std::vector<Prefix> out;
  auto add = [&](Ipv4 address, int length) {
    Prefix prefix{0, length};
    prefix.network = address & prefix.mask();
    if (length > 0) out.push_back(prefix);
  };
  for (const auto& address : TRY(sys::list_ipv4_addresses(socket.get()))) add(address.address, address.prefix_len);
  for (const auto& route : TRY(sys::list_ipv4_routes(socket.get()))) add(route.destination, route.prefix_len);
  return out;
}

bool link_exists(const std::string& name) {
  auto socket = sys::open_netlink(sys::NetlinkFamily::Route);
  return socket && sys::find_link_index(socket->get(), name);
}

Result<void> ensure_forwarding() {
  return ensure_sysctl("/proc/sys/net/ipv4/ip_forward", "1");
}

}  // namespace sampan::network
