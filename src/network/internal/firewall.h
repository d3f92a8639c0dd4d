#pragma once
// network/firewall: the one nftables table of this daemon. docs/design/network.md draws a packet's way through it.
//
// Rules exist per network and are rewritten whole, in one transaction, when networks come and go. Ports are elements of
// two maps; a container's start or stop changes elements only.
//
// One socket serves every change: the kernel makes the closing of a netfilter socket wait until all that was deleted
// before is really gone, which takes milliseconds.

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/internal/ipv4.h"
#include "sys/fd.h"

namespace sampan::sys {
class NftTransaction;
}

namespace sampan::network {

struct PublishedPort {
  uint8_t protocol = 0;  // IPPROTO_*
  Ipv4 host_ip = 0;      // 0: every address of the host
  uint16_t host_port = 0;
  Ipv4 target = 0;
  uint16_t target_port = 0;
  auto operator<=>(const PublishedPort&) const = default;
};

struct FirewallNetwork {
  std::string bridge;
  Prefix subnet;
  bool internal = false;
  bool masquerade = true;
};

/// Threads: any.
class Firewall {
 public:
  explicit Firewall(std::string table) : table_(std::move(table)) {}
  const std::string& table() const { return table_; }

  /// Replaces the table: no moment without the ports. Errors: errno of the refused message.
  Result<void> rebuild(const std::vector<FirewallNetwork>& networks, const std::vector<PublishedPort>& ports);
  Result<void> add_ports(const std::vector<PublishedPort>& ports);
  /// Errors: NotFound when an element is missing; then none was removed.
  Result<void> remove_ports(const std::vector<PublishedPort>& ports);
  /// A missing table is success.
  Result<void> destroy();
  /// UDP flows to these ports that began before the ports changed would go on to where they went: the kernel translates
  /// a flow's first packet only. Ports of other protocols are skipped.
  Result<void> forget_udp_flows(const std::vector<PublishedPort>& ports);

 private:
  Result<void> commit(sys::NftTransaction& nft);
  Result<int> socket();  // with the mutex held

  const std::string table_;
  std::mutex mutex_;
  sys::Fd socket_;
};

/// "tcp" -> IPPROTO_TCP. Errors: InvalidArgument.
Result<uint8_t> parse_protocol(const std::string& name);
const char* protocol_name(uint8_t protocol);

}  // namespace sampan::network
