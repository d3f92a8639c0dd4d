#include "sys/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sys/error.h"

namespace sampan::sys {

namespace {

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
bool read_header(std::string_view& body, T& header) {
  if (body.size() < sizeof header) return false;
  std::memcpy(&header, body.data(), sizeof header);
  body.remove_prefix(std::min(body.size(), size_t{NLMSG_ALIGN(sizeof header)}));
  return true;
}

std::string mac_bytes(const std::string& mac) {
  unsigned b[6] = {};
  if (std::sscanf(mac.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6) return {};
  std::string out;
  for (unsigned byte : b) out.push_back(static_cast<char>(byte));
  return out;
}

uint32_t read_u32(std::string_view value) {
  uint32_t out = 0;
  if (value.size() >= sizeof out) std::memcpy(&out, value.data(), sizeof out);
  return out;
}

std::string read_text(std::string_view value) {
  return std::string(value.substr(0, value.find('\0')));
}

}  // namespace

void RouteBatch::begin(uint16_t type, uint16_t flags, std::string_view header, std::string what,
                       std::vector<int> tolerated) {
  batch_.begin(type, static_cast<uint16_t>(flags | NLM_F_ACK), header);
  operations_.push_back({std::move(what), std::move(tolerated)});
}

void RouteBatch::begin_link_change(const std::string& name, unsigned flags, unsigned mask, std::string what,
                                   std::vector<int> tolerated) {
  ifinfomsg link{};
  link.ifi_family = AF_UNSPEC;
  link.ifi_flags = flags;
  link.ifi_change = mask;
  begin(RTM_NEWLINK, 0, bytes_of(link), std::move(what), std::move(tolerated));
  batch_.put_string(IFLA_IFNAME, name);
}

void RouteBatch::add_bridge(const std::string& name, const std::string& mac, uint32_t mtu) {
  ifinfomsg link{};
  begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, bytes_of(link), fmt::format("add bridge \"{}\"", name), {EEXIST});
  batch_.put_string(IFLA_IFNAME, name);
  batch_.put(IFLA_ADDRESS, mac_bytes(mac));
  if (mtu) batch_.put_u32(IFLA_MTU, mtu);
  size_t info = batch_.open_nest(IFLA_LINKINFO);
  batch_.put_string(IFLA_INFO_KIND, "bridge");
  batch_.close_nest(info);
}

void RouteBatch::add_veth(const std::string& name, int master_index, const std::string& peer,
                          const std::string& peer_mac, int peer_ns, uint32_t mtu) {
  ifinfomsg link{};
  begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, bytes_of(link), fmt::format("add veth \"{}\"", name));
  batch_.put_string(IFLA_IFNAME, name);
  batch_.put_u32(IFLA_MASTER, static_cast<uint32_t>(master_index));
  if (mtu) batch_.put_u32(IFLA_MTU, mtu);
  size_t info = batch_.open_nest(IFLA_LINKINFO);
  batch_.put_string(IFLA_INFO_KIND, "veth");
  size_t data = batch_.open_nest(IFLA_INFO_DATA);
  size_t inner = batch_.open_nest(VETH_INFO_PEER);
  batch_.put_raw(bytes_of(link));
  batch_.put_string(IFLA_IFNAME, peer);
  batch_.put(IFLA_ADDRESS, mac_bytes(peer_mac));
  if (mtu) batch_.put_u32(IFLA_MTU, mtu);
  batch_.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(peer_ns));
  batch_.close_nest(inner);
  batch_.close_nest(data);
  batch_.close_nest(info);
}

void RouteBatch::no_ipv6_addresses(const std::string& name) {
  // FALLBACK(no IPv6 in the kernel, or switched off at boot): nothing to prevent then.
  begin_link_change(name, 0, 0, fmt::format("set address mode of \"{}\"", name), {EAFNOSUPPORT, EOPNOTSUPP, EINVAL});
  size_t families = batch_.open_nest(IFLA_AF_SPEC);
  size_t inet6 = batch_.open_nest(AF_INET6);
  batch_.put_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  batch_.close_nest(inet6);
  batch_.close_nest(families);
}

void RouteBatch::set_up(const std::string& name) {
  begin_link_change(name, IFF_UP, IFF_UP, fmt::format("bring up \"{}\"", name));
}

void RouteBatch::settle_carrier(const std::string& name) {
  ifinfomsg any{};
  begin(RTM_GETLINK, 0, bytes_of(any), fmt::format("look at \"{}\"", name));
  batch_.put_string(IFLA_IFNAME, name);
}

void RouteBatch::set_master(const std::string& name, int master_index) {
  begin_link_change(name, 0, 0, fmt::format("set master of \"{}\"", name));
  batch_.put_u32(IFLA_MASTER, static_cast<uint32_t>(master_index));
}

void RouteBatch::set_port(const std::string& name, PortFlags flags) {
  begin_link_change(name, 0, 0, fmt::format("set bridge port \"{}\"", name));
  size_t info = batch_.open_nest(IFLA_LINKINFO);
  batch_.put_string(IFLA_INFO_SLAVE_KIND, "bridge");
  size_t port = batch_.open_nest(IFLA_INFO_SLAVE_DATA);
  if (flags.isolated) batch_.put_u8(IFLA_BRPORT_ISOLATED, 1);
  if (flags.hairpin) batch_.put_u8(IFLA_BRPORT_MODE, 1);
  batch_.close_nest(port);
  batch_.close_nest(info);
}

void RouteBatch::delete_link(const std::string& name) {
  ifinfomsg link{};
  begin(RTM_DELLINK, 0, bytes_of(link), fmt::format("delete link \"{}\"", name), {ENODEV});
  batch_.put_string(IFLA_IFNAME, name);
}

void RouteBatch::add_address(int link_index, uint32_t address, int prefix_len) {
  ifaddrmsg message{};
  message.ifa_family = AF_INET;
  message.ifa_prefixlen = static_cast<uint8_t>(prefix_len);
  message.ifa_index = static_cast<uint32_t>(link_index);
  begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, bytes_of(message), "add address", {EEXIST});
  batch_.put_be32(IFA_LOCAL, address);
  batch_.put_be32(IFA_ADDRESS, address);
  uint32_t host_bits = prefix_len >= 31 ? 0 : (0xffffffffu >> prefix_len);
  if (host_bits) batch_.put_be32(IFA_BROADCAST, address | host_bits);
}

void RouteBatch::delete_address(int link_index, uint32_t address, int prefix_len) {
  ifaddrmsg message{};
  message.ifa_family = AF_INET;
  message.ifa_prefixlen = static_cast<uint8_t>(prefix_len);
  message.ifa_index = static_cast<uint32_t>(link_index);
  begin(RTM_DELADDR, 0, bytes_of(message), "delete address", {EADDRNOTAVAIL});
  batch_.put_be32(IFA_LOCAL, address);
}

void RouteBatch::add_default_route(uint32_t gateway) {
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, bytes_of(route), "add default route");
  batch_.put_be32(RTA_GATEWAY, gateway);
}

Result<void> RouteBatch::run(int fd) {
  if (batch_.empty()) return {};
  auto failures = TRY(exchange_netlink(fd, batch_));
  for (const auto& failure : failures) {
    const auto& operation = operations_[failure.index];
    if (std::ranges::find(operation.tolerated, failure.err) != operation.tolerated.end()) continue;
    std::string what = operation.what;
    if (!failure.detail.empty()) what += fmt::format(" ({})", failure.detail);
    return sys_error_of(failure.err, what);
  }
  return {};
}

Result<std::vector<LinkInfo>> list_links(int fd) {
  NetlinkBatch request;
  ifinfomsg all{};
  request.begin(RTM_GETLINK, NLM_F_DUMP, bytes_of(all));
  std::vector<LinkInfo> out;
  TRY(dump_netlink(fd, request, [&](uint16_t type, std::string_view body) {
    ifinfomsg header;
    if (type != RTM_NEWLINK || !read_header(body, header)) return;
    LinkInfo link;
    link.index = header.ifi_index;
    link.up = header.ifi_flags & IFF_UP;
    visit_attributes(body, [&](uint16_t attribute, std::string_view value) {
      if (attribute == IFLA_IFNAME) link.name = read_text(value);
      if (attribute == IFLA_MASTER) link.master = static_cast<int>(read_u32(value));
      if (attribute == IFLA_LINKINFO) {
        visit_attributes(value, [&](uint16_t inner, std::string_view text) {
          if (inner == IFLA_INFO_KIND) link.kind = read_text(text);
        });
      }
    });
    out.push_back(std::move(link));
  }));
  return out;
}

Result<std::vector<AddressInfo>> list_ipv4_addresses(int fd) {
  NetlinkBatch request;
  ifaddrmsg all{};
  all.ifa_family = AF_INET;
  request.begin(RTM_GETADDR, NLM_F_DUMP, bytes_of(all));
  std::vector<AddressInfo> out;
  TRY(dump_netlink(fd, request, [&](uint16_t type, std::string_view body) {
    ifaddrmsg header;
    if (type != RTM_NEWADDR || !read_header(body, header)) return;
    AddressInfo address{static_cast<int>(header.ifa_index), 0, header.ifa_prefixlen};
    visit_attributes(body, [&](uint16_t attribute, std::string_view value) {
      if (attribute == IFA_LOCAL) address.address = ntohl(read_u32(value));
    });
    out.push_back(address);
  }));
  return out;
}

Result<std::vector<RouteInfo>> list_ipv4_routes(int fd) {
  NetlinkBatch request;
  rtmsg all{};
  all.rtm_family = AF_INET;
  request.begin(RTM_GETROUTE, NLM_F_DUMP, bytes_of(all));
  std::vector<RouteInfo> out;
  TRY(dump_netlink(fd, request, [&](uint16_t type, std::string_view body) {
    rtmsg header;
    if (type != RTM_NEWROUTE || !read_header(body, header)) return;
    RouteInfo route{0, header.rtm_dst_len, 0};
    visit_attributes(body, [&](uint16_t attribute, std::string_view value) {
      if (attribute == RTA_DST) route.destination = ntohl(read_u32(value));
      if (attribute == RTA_OIF) route.link_index = static_cast<int>(read_u32(value));
    });
    out.push_back(route);
  }));
  return out;
}

Result<int> find_link_index(int fd, const std::string& name) {
  NetlinkBatch request;
  ifinfomsg any{};
  request.begin(RTM_GETLINK, 0, bytes_of(any));
  request.put_string(IFLA_IFNAME, name);
  int index = 0;
  TRY_CONTEXT(dump_netlink(fd, request,
                           [&](uint16_t type, std::string_view body) {
                             ifinfomsg header;
                             if (type == RTM_NEWLINK && read_header(body, header)) index = header.ifi_index;
                           }),
              fmt::format("find link \"{}\"", name));
  return index;
}

}  // namespace sampan::sys
