#pragma once
// network/port_table: who holds which host port. A held port is a bound socket, so the kernel keeps other programs, and
// other daemons, from it.

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/internal/port_relay.h"
#include "network/network.h"
#include "sys/fd.h"

namespace sampan::network {

/// Threads: one at a time.
class PortTable {
 public:
  explicit PortTable(PortRelay& relay) : relay_(relay) {}

  /// Binds every wanted port, choosing numbers where none was asked for, and starts the relay for TCP.
  /// All or nothing. Errors: Conflict with Docker's texts, InvalidArgument (address, protocol).
  Result<std::vector<PortMapping>> reserve(const Endpoint& owner, const std::vector<PortMapping>& wanted);
  /// After a restart: takes back what can be taken; a port that somebody else grabbed meanwhile is still translated.
  void adopt(const Endpoint& owner);
  void release(const std::string& endpoint_id);

 private:
  struct Held {
    PortMapping mapping;
    sys::Fd ipv4, ipv6;
  };
  Result<Held> bind_one(const Endpoint& owner, PortMapping wanted) const;
  Result<Held> bind_any_port(const Endpoint& owner, PortMapping wanted);
  bool is_held(const PortMapping& mapping) const;
  void start_relay(const Held& held, const std::string& target) const;

  PortRelay& relay_;
  std::map<std::string, std::vector<Held>> held_;                           // by endpoint
  std::multimap<std::pair<std::string, uint16_t>, std::string> addresses_;  // (protocol, port) -> host ip
  uint16_t next_port_ = 32768;
};

}  // namespace sampan::network
