#include "network/internal/address_pool.h"

#include <algorithm>

namespace sampan::network {

AddressPool::AddressPool(Prefix subnet, Prefix range, Ipv4 gateway)
    : subnet_(subnet), range_(range), gateway_(gateway), next_(range.network) {}

bool AddressPool::is_reserved(Ipv4 address) const {
  if (address == gateway_) return true;
  // A /31 and a /32 have neither a network nor a broadcast address.
  return subnet_.length < 31 && (address == subnet_.network || address == subnet_.last());
}

Result<Ipv4> AddressPool::take_next() {
  uint64_t size = uint64_t{1} << (32 - range_.length);
  // Among used+3 candidates (reserved: network, broadcast, gateway) at least one is free unless the range is full.
  uint64_t tries = std::min<uint64_t>(size, used_.size() + 4);
  for (uint64_t i = 0; i < tries; ++i) {
    Ipv4 candidate = next_;
    next_ = candidate == range_.last() ? range_.network : candidate + 1;
    if (is_reserved(candidate) || used_.contains(candidate)) continue;
    used_.insert(candidate);
    return candidate;
  }
  return fail(Code::ResourceExhausted, "no available IPv4 addresses on this network's address pools: {}",
              format_prefix(range_));
}

Result<void> AddressPool::take(Ipv4 address) {
  if (!subnet_.contains(address)) {
    return fail(Code::InvalidArgument, "invalid address {}: It does not belong to any of this network's subnets",
                format_ipv4(address));
  }
  if (is_reserved(address) || !used_.insert(address).second) return fail(Code::Conflict, "Address already in use");
  return {};
}

Result<Prefix> choose_subnet(std::span<const Prefix> taken) {
  auto is_free = [&](const Prefix& candidate) {
    return std::ranges::none_of(taken, [&](const Prefix& other) { return other.overlaps(candidate); });
  };
  for (Ipv4 second = 17; second <= 31; ++second) {
    Prefix candidate{172u << 24 | second << 16, 16};
    if (is_free(candidate)) return candidate;
  }
  for (Ipv4 block = 0; block < 16; ++block) {
    Prefix candidate{192u << 24 | 168u << 16 | block << 12, 20};
    if (is_free(candidate)) return candidate;
  }
  return fail(Code::ResourceExhausted, "all predefined address pools have been fully subnetted");
}

Result<Prefix> choose_subnet(std::span<const SubnetPool> pools, std::span<const Prefix> taken) {
  for (const auto& pool : pools) {
    Prefix base = TRY(parse_prefix(pool.base));
    if (pool.size < base.length || pool.size > 30) {
      return fail(Code::InvalidArgument, "pool {}: no subnets of {} bits in it", pool.base, pool.size);
    }
    const uint64_t step = uint64_t{1} << (32 - pool.size), end = uint64_t{base.last()} + 1;
    for (uint64_t at = base.network; at < end;) {
      Prefix candidate{static_cast<Ipv4>(at), pool.size};
      uint64_t next = at + step;
      for (const auto& other : taken) {  // past a large neighbour in one step
        if (other.overlaps(candidate)) next = std::max(next, uint64_t{other.last()} + 1);
      }
      if (next == at + step && std::ranges::none_of(taken, [&](const Prefix& o) { return o.overlaps(candidate); })) {
        return candidate;
      }
      at = (next + step - 1) / step * step;
    }
  }
  return fail(Code::ResourceExhausted, "all predefined address pools have been fully subnetted");
}

}  // namespace sampan::network
