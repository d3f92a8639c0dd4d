#pragma once
// network/name_table: who is called what, as each container may see it.
//
// A container sees the names on every user-defined network that it is on, whichever of their gateways it asks; who asks
// is known by the address. On the default bridge nobody has a name, as in Docker.

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "network/internal/ipv4.h"
#include "network/network.h"

namespace sampan::network {

struct Asker {
  std::string network_id;
  Ipv4 address = 0;
};

/// Threads: any.
class NameTable {
 public:
  void put(const Endpoint& endpoint, const NetworkRecord& network);
  void drop(const std::string& endpoint_id);

  /// nullopt: nobody is called so. Several holders of one name come in turns.
  std::optional<std::vector<Ipv4>> addresses_of(const Asker& asker, const std::string& name);
  std::optional<std::string> name_of(const Asker& asker, Ipv4 address);
  /// A container that is on internal networks only asks nobody outside (CVE-2024-29018).
  bool may_ask_outside(const Asker& asker, bool network_is_internal);

 private:
  struct Entry {
    std::string container_id, network_id, network_name;
    std::vector<std::string> names;  // lower-case
    Ipv4 address = 0;
    bool named = false, internal = false;
  };
  std::vector<std::string> networks_of(const Asker& asker) const;

  std::mutex mutex_;
  std::map<std::string, Entry> entries_;                                     // by endpoint
  std::multimap<std::pair<std::string, std::string>, std::string> by_name_;  // (network, name) -> endpoint
  std::map<std::pair<std::string, Ipv4>, std::string> by_address_;           // (network, address) -> endpoint
  std::multimap<std::string, std::string> by_container_;
  size_t turn_ = 0;
};

}  // namespace sampan::network
