#include "network/internal/firewall.h"

#include <netinet/in.h>

#include "sys/conntrack.h"
#include "sys/nftables.h"

namespace sampan::network {

namespace {

using sys::Negate;
using sys::NftField;
using sys::NftHook;
using sys::NftTransaction;

constexpr const char* kBridges = "bridges";      // every bridge of ours
constexpr const char* kInternal = "internal";    // those without a way out
constexpr const char* kAnyAddress = "ports";     // published on every address
constexpr const char* kOneAddress = "ports_on";  // published on one
constexpr int kPriorityRaw = -300, kPriorityDnat = -100, kPriorityFilter = 0, kPrioritySnat = 100;
constexpr Prefix kLoopback{127u << 24, 8};

std::string target_of(const PublishedPort& port) {
  return sys::nft_ipv4(port.target) + sys::nft_port(port.target_port);
}

std::string key_of(const PublishedPort& port) {
  std::string key = port.host_ip ? sys::nft_ipv4(port.host_ip) : "";
  return key + sys::nft_protocol(port.protocol) + sys::nft_port(port.host_port);
}

const char* map_of(const PublishedPort& port) {
  return port.host_ip ? kOneAddress : kAnyAddress;
}

void declare(NftTransaction& nft) {
  nft.add_set(kBridges, {NftField::InterfaceName});
  nft.add_set(kInternal, {NftField::InterfaceName});
  nft.add_map(kAnyAddress, {NftField::Protocol, NftField::Port}, {NftField::Ipv4Address, NftField::Port});
  nft.add_map(kOneAddress, {NftField::Ipv4Address, NftField::Protocol, NftField::Port},
              {NftField::Ipv4Address, NftField::Port});
  nft.add_chain("raw", "filter", NftHook::Prerouting, kPriorityRaw);
  nft.add_chain("prerouting", "nat", NftHook::Prerouting, kPriorityDnat);
  nft.add_chain("output", "nat", NftHook::Output, kPriorityDnat);
  nft.add_chain("forward", "filter", NftHook::Forward, kPriorityFilter);
  nft.add_chain("postrouting", "nat", NftHook::Postrouting, kPrioritySnat);
}

/// Before connection tracking: what may not even be looked at.
void write_raw(NftTransaction& nft, const std::vector<FirewallNetwork>& networks) {
  // Our bridges route 127.0.0.0/8 (published ports answer on 127.0.0.1), so a container could send to, or claim to be,
  // the host's loopback: CVE-2020-8558.
  nft.begin_rule("raw");
  nft.match_input_in(kBridges);
  nft.match_destination(kLoopback.network, kLoopback.length);
  nft.drop();
  nft.begin_rule("raw");
  nft.match_input_in(kBridges);
  nft.match_source(kLoopback.network, kLoopback.length);
  nft.drop();
  // A neighbour of the host that adds a route through it must not reach containers that published nothing.
  for (const auto& network : networks) {
    nft.begin_rule("raw");
    nft.match_destination(network.subnet.network, network.subnet.length);
    nft.match_input(network.bridge, Negate::Yes);
    nft.match_input("lo", Negate::Yes);
    nft.drop();
  }
}

/// Only traffic for the host's own addresses is translated: CVE-2019-9946.
void write_dnat(NftTransaction& nft, const char* chain) {
  nft.begin_rule(chain);
  nft.match_destination_is_local();
  nft.dnat_by_address_and_port(kOneAddress);
  nft.begin_rule(chain);
  nft.match_destination_is_local();
  nft.dnat_by_port(kAnyAddress);
}

void write_forward(NftTransaction& nft, const std::vector<FirewallNetwork>& networks) {
  nft.begin_rule("forward");
  nft.match_established_or_related();
  nft.accept();
  for (const auto& network : networks) {
    nft.begin_rule("forward");
    nft.match_input(network.bridge);
    nft.match_output(network.bridge);
    nft.accept();
  }
  nft.begin_rule("forward");
  nft.match_input_in(kInternal);
  nft.drop();
  nft.begin_rule("forward");
  nft.match_output_in(kInternal);
  nft.drop();
  nft.begin_rule("forward");
  nft.match_output_in(kBridges);
  nft.match_translated();
  nft.accept();
  nft.begin_rule("forward");
  nft.match_output_in(kBridges);
  nft.drop();
}

void write_postrouting(NftTransaction& nft, const std::vector<FirewallNetwork>& networks) {
  // The host talks to a published port by 127.0.0.1: the container must have somewhere to answer to.
  nft.begin_rule("postrouting");
  nft.match_output_in(kBridges);
  nft.match_source(kLoopback.network, kLoopback.length);
  nft.masquerade();
  for (const auto& network : networks) {
    // A container reaches a neighbour, or itself, by a published port: the answer must come back through us.
    nft.begin_rule("postrouting");
    nft.match_output(network.bridge);
    nft.match_source(network.subnet.network, network.subnet.length);
    nft.match_translated();
    nft.masquerade();
    if (network.internal || !network.masquerade) continue;
    nft.begin_rule("postrouting");
    nft.match_source(network.subnet.network, network.subnet.length);
    nft.match_output(network.bridge, Negate::Yes);
    nft.masquerade();
  }
}

void add_elements(NftTransaction& nft, const std::vector<PublishedPort>& ports, const char* map) {
  for (const auto& port : ports) {
    if (map_of(port) == map) nft.add_element(map, key_of(port), target_of(port));
  }
}

}  // namespace

Result<int> Firewall::socket() {
  if (!socket_.valid()) socket_ = TRY(sys::open_netlink(sys::NetlinkFamily::Netfilter));
  return socket_.get();
}

Result<void> Firewall::commit(NftTransaction& nft) {
  std::lock_guard lock(mutex_);
  return nft.commit(TRY(socket()));
}

Result<void> Firewall::forget_udp_flows(const std::vector<PublishedPort>& ports) {
  std::set<uint16_t> numbers;
  for (const auto& port : ports) {
    if (port.protocol == IPPROTO_UDP) numbers.insert(port.host_port);
  }
  if (numbers.empty()) return {};
  std::lock_guard lock(mutex_);
  return sys::forget_flows(TRY(socket()), IPPROTO_UDP, [&](uint16_t port) { return numbers.contains(port); });
}

Result<void> Firewall::rebuild(const std::vector<FirewallNetwork>& networks, const std::vector<PublishedPort>& ports) {
  NftTransaction nft(table_);
  nft.ensure_table();
  nft.delete_table();
  nft.ensure_table();
  declare(nft);
  for (const auto& network : networks) nft.add_element(kBridges, sys::nft_interface(network.bridge));
  for (const auto& network : networks) {
    if (network.internal) nft.add_element(kInternal, sys::nft_interface(network.bridge));
  }
  add_elements(nft, ports, kAnyAddress);
  add_elements(nft, ports, kOneAddress);
  write_raw(nft, networks);
  write_dnat(nft, "prerouting");
  write_dnat(nft, "output");
  write_forward(nft, networks);
  write_postrouting(nft, networks);
  return commit(nft);
}

Result<void> Firewall::add_ports(const std::vector<PublishedPort>& ports) {
  if (ports.empty()) return {};
  NftTransaction nft(table_);
  add_elements(nft, ports, kAnyAddress);
  add_elements(nft, ports, kOneAddress);
  return commit(nft);
}

Result<void> Firewall::remove_ports(const std::vector<PublishedPort>& ports) {
  if (ports.empty()) return {};
  NftTransaction nft(table_);
  for (const auto& port : ports) nft.delete_element(map_of(port), key_of(port));
  return commit(nft);
}

Result<void> Firewall::destroy() {
  NftTransaction nft(table_);
  nft.ensure_table();
  nft.delete_table();
  return commit(nft);
}

Result<uint8_t> parse_protocol(const std::string& name) {
  if (name == "tcp" || name.empty()) return uint8_t{IPPROTO_TCP};
  if (name == "udp") return uint8_t{IPPROTO_UDP};
  if (name == "sctp") return uint8_t{IPPROTO_SCTP};
  return fail(Code::InvalidArgument, "invalid proto: {}", name);
}

const char* protocol_name(uint8_t protocol) {
  if (protocol == IPPROTO_UDP) return "udp";
  return protocol == IPPROTO_SCTP ? "sctp" : "tcp";
}

}  // namespace sampan::network
