#pragma once
// network/port_relay: connections that reach the sockets which hold published ports are carried to the container.
//
// nftables translates IPv4 before a socket sees it, so what arrives here came by IPv6 (localhost is often ::1), or came
// while somebody flushed the host's rules. One event loop, bytes moved by splice(2), no thread per connection.

#include <sys/socket.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "network/internal/event_loop.h"
#include "network/internal/ipv4.h"
#include "sys/fd.h"

namespace sampan::network {

class PortRelay {
 public:
  explicit PortRelay(EventLoop& loop);
  ~PortRelay();

  /// Serves the listening socket until forget(); the caller keeps it open. Threads: any.
  void serve(int listener, Ipv4 target, uint16_t target_port);
  /// Connections already made go on. Threads: any but the loop's.
  void forget(const std::vector<int>& listeners);

 private:
  struct Pipe {
    sys::Fd read, write;
    size_t held = 0;
    bool ended = false, told = false;  // the source has ended; the sink was told
  };
  struct Pair {
    sys::Fd client, container;
    Pipe up, down;
    bool connected = false;  // the container has answered; it may have ended since
  };
  struct Target {
    Ipv4 address;
    uint16_t port;
  };
  void accept_all(int listener, Target target);
  void open_pair(sys::Fd client, Target target);
  bool check_connected(const std::shared_ptr<Pair>& pair);
  void pump(const std::shared_ptr<Pair>& pair);
  void close_pair(const std::shared_ptr<Pair>& pair);

  EventLoop& loop_;
  std::unordered_map<int, Target> listeners_;
  std::vector<int> paused_;                               // listeners that wait for free descriptors
  std::unordered_map<int, std::shared_ptr<Pair>> pairs_;  // by the client's descriptor
};

}  // namespace sampan::network
