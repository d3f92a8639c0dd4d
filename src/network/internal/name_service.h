#pragma once
// network/name_service: the name server that containers find on their bridge's gateway address.
//
// It listens in the host's namespace on each gateway, on a port of its own; the firewall's map leads port 53 of the
// gateway there. So neither a resolver that holds port 53 on the host nor a container that publishes it is in the way.
// Names of containers are answered from the table, everything else is asked of the host's own resolvers, loopback ones
// included: it is the host that asks. While the daemon is down names do not resolve; they do again when it is back.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "network/internal/dns_forward.h"
#include "network/internal/event_loop.h"
#include "network/internal/name_table.h"
#include "sys/fd.h"

namespace sampan::network {

struct NamePorts {
  uint16_t udp = 0, tcp = 0;
};

/// Threads: any but the loop's.
class NameService {
 public:
  NameService(EventLoop& loop, NameTable& names, const std::vector<std::string>& upstream);
  ~NameService();

  /// Listens on the network's gateway; an open zone is opened afresh. Errors: errno of bind.
  Result<NamePorts> open_zone(const NetworkRecord& network);
  void close_zone(const std::string& network_id);

 private:
  struct Zone {
    std::string network_id;
    bool internal = false;
    sys::Fd udp, tcp;
  };
  using ZonePtr = std::shared_ptr<Zone>;
  struct Client {
    sys::Fd socket;
    ZonePtr zone;
    Ipv4 address = 0;
    std::string in, out;
    bool waiting = false;  // for the answer to the query before
    std::chrono::steady_clock::time_point deadline;
  };
  using ClientPtr = std::shared_ptr<Client>;
  using Reply = std::function<void(std::string)>;

  void on_datagrams(const ZonePtr& zone);
  void on_connections(const ZonePtr& zone);
  void on_client(const ClientPtr& client, uint32_t events);
  void take_query(const ClientPtr& client);
  void send_answer(const ClientPtr& client, const std::string& answer);
  void flush(const ClientPtr& client);
  void drop_client(const ClientPtr& client);
  void answer(const ZonePtr& zone, Ipv4 from, std::string query, DnsTransport transport, const Reply& reply);
  void close_on_loop(const std::string& network_id);
  void tick();

  EventLoop& loop_;
  NameTable& names_;
  std::unique_ptr<DnsForwarder> forwarder_;
  std::unordered_map<std::string, ZonePtr> zones_;
  std::unordered_map<int, ClientPtr> clients_;
};

}  // namespace sampan::network
