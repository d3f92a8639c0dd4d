#pragma once
// network/dns_forward: one query on its way to the host's resolvers.
//
// Each attempt has a socket of its own, connected, with a port the kernel chose and a fresh id: an answer counts only
// when all of them and the question fit. Servers are tried in turn, twice around.

#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "network/internal/event_loop.h"
#include "sys/fd.h"

namespace sampan::network {

enum class DnsTransport { Udp, Tcp };

/// For the loop's own thread.
class DnsForwarder {
 public:
  using Done = std::function<void(std::string answer)>;

  DnsForwarder(EventLoop& loop, const std::vector<std::string>& servers);
  ~DnsForwarder();
  /// Calls `done` once: with an answer, or with SERVFAIL when nobody answers or too many wait already.
  void ask(std::string query, size_t question_end, DnsTransport transport, Done done);
  bool is_waiting() const { return !pending_.empty(); }
  void tick();

 private:
  struct Pending {
    std::string query;
    size_t question_end;
    DnsTransport transport;
    Done done;
    uint16_t client_id;
    uint16_t id = 0;
    size_t attempt = 0;
    sys::Fd socket;
    std::string out, in;  // Tcp
    std::chrono::steady_clock::time_point deadline;
  };
  using PendingPtr = std::shared_ptr<Pending>;
  void next_attempt(const PendingPtr& pending);
  bool start_attempt(const PendingPtr& pending);
  void on_event(const PendingPtr& pending, uint32_t events);
  void on_datagram(const PendingPtr& pending);
  void on_stream(const PendingPtr& pending);
  void accept_answer(const PendingPtr& pending, std::string answer);
  void finish(const PendingPtr& pending, std::string answer);
  void drop_socket(const PendingPtr& pending);

  EventLoop& loop_;
  std::vector<std::pair<sockaddr_storage, socklen_t>> servers_;
  std::unordered_map<Pending*, PendingPtr> pending_;
};

}  // namespace sampan::network
