#pragma once
// network/ipv4: addresses and prefixes as numbers. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::network {

/// Host byte order.
using Ipv4 = uint32_t;

std::optional<Ipv4> parse_ipv4(std::string_view text);
std::string format_ipv4(Ipv4 address);

struct Prefix {
  Ipv4 network = 0;  // host bits are zero
  int length = 0;

  Ipv4 mask() const { return length == 0 ? 0 : 0xffffffffu << (32 - length); }
  Ipv4 last() const { return network | ~mask(); }
  bool contains(Ipv4 address) const { return (address & mask()) == network; }
  bool overlaps(const Prefix& other) const { return contains(other.network) || other.contains(network); }
  auto operator<=>(const Prefix&) const = default;
};

/// "10.1.2.0/24"; host bits are dropped. Errors: InvalidArgument.
Result<Prefix> parse_prefix(std::string_view text);
std::string format_prefix(const Prefix& prefix);

/// The stable hardware address of a container: 02:42 and the four bytes of its address.
std::string mac_of(Ipv4 address);
/// Six hexadecimal pairs with colons or dashes, made lower-case with colons. Errors: InvalidArgument.
Result<std::string> parse_mac(std::string_view text);

}  // namespace sampan::network
