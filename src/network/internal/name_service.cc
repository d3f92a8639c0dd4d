#include "network/internal/name_service.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "network/internal/dns_message.h"
#include "sys/error.h"

namespace sampan::network {

namespace {

// A known number, so that an administrator whose firewall drops input can let it in; any other when it is taken.
constexpr uint16_t kPreferredPort = 10053;
constexpr size_t kMaxClients = 256;
constexpr size_t kMaxQuery = 4096;
constexpr auto kClientTimeout = std::chrono::seconds(10);
constexpr int kDatagramsPerTurn = 64;

Result<sys::Fd> listen_on(Ipv4 address, int type, uint16_t& port) {
  sys::Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return sys::sys_error("socket");
  int on = 1;
  if (type == SOCK_STREAM) (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(address);
  where.sin_port = htons(kPreferredPort);
  auto* raw = reinterpret_cast<sockaddr*>(&where);
  bool bound = ::bind(fd.get(), raw, sizeof where) == 0;
  if (!bound) {
    where.sin_port = 0;
    if (::bind(fd.get(), raw, sizeof where) < 0) return sys::sys_error("bind", format_ipv4(address));
  }
  if (type == SOCK_STREAM && ::listen(fd.get(), 64) < 0) return sys::sys_error("listen", format_ipv4(address));
  socklen_t length = sizeof where;
  if (::getsockname(fd.get(), raw, &length) < 0) return sys::sys_error("getsockname");
  port = ntohs(where.sin_port);
  return fd;
}

}  // namespace

NameService::NameService(EventLoop& loop, NameTable& names, const std::vector<std::string>& upstream)
    : loop_(loop), names_(names), forwarder_(std::make_unique<DnsForwarder>(loop, upstream)) {
  loop_.run([this] {
    loop_.add_timer(this, [this] { return forwarder_->is_waiting() || !clients_.empty(); }, [this] { tick(); });
  });
}

NameService::~NameService() {
  loop_.run([this] {
    loop_.remove_timers(this);
    while (!zones_.empty()) close_on_loop(std::string(zones_.begin()->first));
    while (!clients_.empty()) drop_client(ClientPtr(clients_.begin()->second));
    forwarder_.reset();
  });
}

Result<NamePorts> NameService::open_zone(const NetworkRecord& network) {
  close_zone(network.id);
  auto gateway = parse_ipv4(network.gateway);
  if (!gateway) return fail(Code::InvalidArgument, "network {} has no gateway", network.name);
  NamePorts ports;
  auto zone = std::make_shared<Zone>();
  zone->network_id = network.id;
  zone->internal = network.internal;
  zone->udp = TRY_CONTEXT(listen_on(*gateway, SOCK_DGRAM, ports.udp), "name service");
  zone->tcp = TRY_CONTEXT(listen_on(*gateway, SOCK_STREAM, ports.tcp), "name service");
  loop_.run([&] {
    zones_[zone->network_id] = zone;
    (void)loop_.watch(zone->udp.get(), EPOLLIN, [this, zone](uint32_t) { on_datagrams(zone); });
    (void)loop_.watch(zone->tcp.get(), EPOLLIN, [this, zone](uint32_t) { on_connections(zone); });
  });
  return ports;
}

void NameService::close_zone(const std::string& network_id) {
  loop_.run([&] { close_on_loop(network_id); });
}

void NameService::close_on_loop(const std::string& network_id) {
  auto found = zones_.find(network_id);
  if (found == zones_.end()) return;
  loop_.forget(found->second->udp.get());
  loop_.forget(found->second->tcp.get());
  found->second->udp.reset();
  found->second->tcp.reset();
  zones_.erase(found);
}

void NameService::answer(const ZonePtr& zone, Ipv4 from, std::string query, DnsTransport transport,
                         const Reply& reply) {
  constexpr size_t kHeader = 12;
  if (query.size() < kHeader || (query[2] & 0x80)) return;  // not a query: answering could start a loop
  auto question = parse_question(query);
  if (!question) return reply(format_dns_result(query, kHeader, DnsResult::FormatError));
  Asker asker{zone->network_id, from};
  bool wants_pointer = question->type == static_cast<uint16_t>(DnsType::Ptr);
  if (wants_pointer) {
    auto address = parse_reverse_name(question->name);
    auto name = address ? names_.name_of(asker, *address) : std::nullopt;
    if (name) return reply(format_dns_pointer(query, question->end, *name));
  } else if (auto addresses = names_.addresses_of(asker, question->name)) {
    bool wants_address =
        question->type == static_cast<uint16_t>(DnsType::A) || question->type == static_cast<uint16_t>(DnsType::Any);
    // The name exists: other types are "nothing of that type", which keeps a resolver from asking elsewhere.
    return reply(format_dns_addresses(query, question->end, wants_address ? *addresses : std::vector<Ipv4>()));
  }
  if (!names_.may_ask_outside(asker, zone->internal)) {
    return reply(format_dns_result(query, question->end, DnsResult::ServerFailure));
  }
  forwarder_->ask(std::move(query), question->end, transport, reply);
}

void NameService::on_datagrams(const ZonePtr& zone) {
  char buffer[kMaxQuery];
  for (int i = 0; i < kDatagramsPerTurn && zone->udp.valid(); ++i) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    ssize_t got =
        ::recvfrom(zone->udp.get(), buffer, sizeof buffer, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) return;
    std::string query(buffer, static_cast<size_t>(got));
    answer(zone, ntohl(from.sin_addr.s_addr), std::move(query), DnsTransport::Udp, [zone, from](std::string reply) {
      // An answer that does not fit into the socket's buffer is lost, as datagrams are.
      if (zone->udp.valid()) {
        (void)::sendto(zone->udp.get(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                       reinterpret_cast<const sockaddr*>(&from), sizeof from);
      }
    });
  }
}

void NameService::on_connections(const ZonePtr& zone) {
  for (;;) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    sys::Fd socket(
        ::accept4(zone->tcp.get(), reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    if (clients_.size() >= kMaxClients) continue;
    auto client = std::make_shared<Client>();
    client->socket = std::move(socket);
    client->zone = zone;
    client->address = ntohl(from.sin_addr.s_addr);
    client->deadline = std::chrono::steady_clock::now() + kClientTimeout;
    int fd = client->socket.get();
    std::weak_ptr<Client> weak = client;
    bool watched = loop_.watch(fd, EPOLLIN, [this, weak](uint32_t events) {
      if (auto alive = weak.lock()) on_client(alive, events);
    });
    if (watched) clients_[fd] = client;
  }
}

void NameService::on_client(const ClientPtr& client, uint32_t events) {
  if (events & EPOLLOUT) flush(client);
  if (!client->socket.valid() || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  char buffer[kMaxQuery];
  ssize_t got = ::recv(client->socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return drop_client(client);
  client->in.append(buffer, static_cast<size_t>(got));
  if (client->in.size() > 4 * kMaxQuery) return drop_client(client);
  take_query(client);
}

/// One query at a time per connection.
void NameService::take_query(const ClientPtr& client) {
  if (client->waiting || client->in.size() < 2) return;
  size_t size = static_cast<uint8_t>(client->in[0]) << 8 | static_cast<uint8_t>(client->in[1]);
  if (size > kMaxQuery) return drop_client(client);
  if (client->in.size() < size + 2) return;
  std::string query = client->in.substr(2, size);
  client->in.erase(0, size + 2);
  client->waiting = true;
  client->deadline = std::chrono::steady_clock::now() + kClientTimeout;
  std::weak_ptr<Client> weak = client;
  answer(client->zone, client->address, std::move(query), DnsTransport::Tcp, [this, weak](std::string reply) {
    if (auto alive = weak.lock()) send_answer(alive, reply);
  });
}

void NameService::send_answer(const ClientPtr& client, const std::string& answer) {
  if (!client->socket.valid()) return;
  client->waiting = false;
  client->out.push_back(static_cast<char>(answer.size() >> 8));
  client->out.push_back(static_cast<char>(answer.size() & 0xff));
  client->out += answer;
  flush(client);
}

void NameService::flush(const ClientPtr& client) {
  ssize_t sent = ::send(client->socket.get(), client->out.data(), client->out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return drop_client(client);
  if (sent > 0) client->out.erase(0, static_cast<size_t>(sent));
  loop_.change(client->socket.get(), client->out.empty() ? EPOLLIN : EPOLLOUT);
  if (client->out.empty()) take_query(client);
}

void NameService::drop_client(const ClientPtr& client) {
  if (!client->socket.valid()) return;
  ClientPtr keep = client;
  loop_.forget(keep->socket.get());
  clients_.erase(keep->socket.get());
  keep->socket.reset();
}

void NameService::tick() {
  forwarder_->tick();
  auto now = std::chrono::steady_clock::now();
  std::vector<ClientPtr> late;
  for (auto& [fd, client] : clients_) {
    if (client->deadline <= now) late.push_back(client);
  }
  for (auto& client : late) drop_client(client);
}

}  // namespace sampan::network
