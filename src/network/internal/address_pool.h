#pragma once
// network/address_pool: which addresses of one subnet are free. In memory only; live endpoints are the truth.

#include <set>
#include <span>
#include <string>

#include "base/result.h"
#include "network/internal/ipv4.h"
#include "network/network.h"

namespace sampan::network {

/// Hands out addresses upwards and starts over at the end, so that an address given back rests as long as possible.
/// Threads: one at a time.
class AddressPool {
 public:
  /// Addresses come from `range`; `subnet` bounds what may be asked for by name. The gateway is never given away.
  AddressPool(Prefix subnet, Prefix range, Ipv4 gateway);

  /// Errors: ResourceExhausted.
  Result<Ipv4> take_next();
  /// Errors: InvalidArgument (outside the subnet), Conflict "Address already in use".
  Result<void> take(Ipv4 address);
  void give_back(Ipv4 address) { used_.erase(address); }
  size_t used() const { return used_.size(); }

 private:
  bool is_reserved(Ipv4 address) const;

  Prefix subnet_, range_;
  Ipv4 gateway_;
  Ipv4 next_;
  std::set<Ipv4> used_;
};

/// The first pool of Docker's default list that overlaps none of `taken`. Errors: ResourceExhausted.
Result<Prefix> choose_subnet(std::span<const Prefix> taken);
/// The same from configured pools. Errors: InvalidArgument (a bad pool), ResourceExhausted.
Result<Prefix> choose_subnet(std::span<const SubnetPool> pools, std::span<const Prefix> taken);

}  // namespace sampan::network
