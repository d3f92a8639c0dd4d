#include "network/internal/name_table.h"

#include "base/strings.h"

namespace sampan::network {

namespace {
template <typename Map, typename Key>
void erase_value(Map& map, const Key& key, const std::string& value) {
  auto [first, last] = map.equal_range(key);
  for (auto it = first; it != last;) it = it->second == value ? map.erase(it) : std::next(it);
}
}  // namespace

void NameTable::put(const Endpoint& endpoint, const NetworkRecord& network) {
  auto address = parse_ipv4(endpoint.ip_address);
  if (!address) return;
  drop(endpoint.endpoint_id);
  std::lock_guard lock(mutex_);
  Entry entry{endpoint.container_id, network.id, network.name, {}, *address, !network.builtin, network.internal};
  for (const auto& name : endpoint.dns_names) {
    if (name.empty() || network.builtin) continue;
    entry.names.push_back(to_lower(name));
  }
  for (const auto& name : std::set<std::string>(entry.names.begin(), entry.names.end())) {
    by_name_.emplace(std::pair(network.id, name), endpoint.endpoint_id);
    by_name_.emplace(std::pair(network.id, name + "." + to_lower(network.name)), endpoint.endpoint_id);
  }
  by_address_[{network.id, *address}] = endpoint.endpoint_id;
  by_container_.emplace(endpoint.container_id, endpoint.endpoint_id);
  entries_[endpoint.endpoint_id] = std::move(entry);
}

void NameTable::drop(const std::string& endpoint_id) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(endpoint_id);
  if (found == entries_.end()) return;
  const Entry& entry = found->second;
  for (const auto& name : entry.names) {
    erase_value(by_name_, std::pair(entry.network_id, name), endpoint_id);
    erase_value(by_name_, std::pair(entry.network_id, name + "." + to_lower(entry.network_name)), endpoint_id);
  }
  auto address = by_address_.find({entry.network_id, entry.address});
  if (address != by_address_.end() && address->second == endpoint_id) by_address_.erase(address);
  erase_value(by_container_, entry.container_id, endpoint_id);
  entries_.erase(found);
}

/// The asked network first, then the container's others.
std::vector<std::string> NameTable::networks_of(const Asker& asker) const {
  std::vector<std::string> out = {asker.network_id};
  auto endpoint = by_address_.find({asker.network_id, asker.address});
  if (endpoint == by_address_.end()) return out;
  auto [first, last] = by_container_.equal_range(entries_.at(endpoint->second).container_id);
  for (auto it = first; it != last; ++it) {
    const auto& network = entries_.at(it->second).network_id;
    if (network != asker.network_id) out.push_back(network);
  }
  return out;
}

std::optional<std::vector<Ipv4>> NameTable::addresses_of(const Asker& asker, const std::string& name) {
  std::lock_guard lock(mutex_);
  for (const auto& network : networks_of(asker)) {
    auto [first, last] = by_name_.equal_range(std::pair(network, name));
    std::vector<Ipv4> out;
    for (auto it = first; it != last; ++it) out.push_back(entries_.at(it->second).address);
    if (out.empty()) continue;
    std::ranges::rotate(out, out.begin() + static_cast<std::ptrdiff_t>(turn_++ % out.size()));
    return out;
  }
  return std::nullopt;
}

std::optional<std::string> NameTable::name_of(const Asker& asker, Ipv4 address) {
  std::lock_guard lock(mutex_);
  for (const auto& network : networks_of(asker)) {
    auto found = by_address_.find({network, address});
    if (found == by_address_.end()) continue;
    const Entry& entry = entries_.at(found->second);
    if (entry.named && !entry.names.empty()) return entry.names.front() + "." + entry.network_name;
  }
  return std::nullopt;
}

bool NameTable::may_ask_outside(const Asker& asker, bool network_is_internal) {
  if (!network_is_internal) return true;
  std::lock_guard lock(mutex_);
  auto endpoint = by_address_.find({asker.network_id, asker.address});
  if (endpoint == by_address_.end()) return false;
  auto [first, last] = by_container_.equal_range(entries_.at(endpoint->second).container_id);
  return std::any_of(first, last, [&](const auto& item) { return !entries_.at(item.second).internal; });
}

}  // namespace sampan::network
