#include "network/internal/dns_forward.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>

#include "network/internal/dns_message.h"
#include "network/internal/ipv4.h"

namespace sampan::network {

namespace {

constexpr size_t kMaxPending = 1024;
constexpr auto kAttemptTimeout = std::chrono::milliseconds(2000);
constexpr size_t kRounds = 2;
constexpr uint16_t kDnsPort = 53;

uint16_t random_id() {
  uint16_t id = 0;
  (void)!::getrandom(&id, sizeof id, 0);  // two bytes never fail once the kernel's generator is seeded
  return id;
}

/// "1.2.3.4", "2001:db8::1", "fe80::1%2" are servers; "1.2.3.4:5300" names a port too.
bool parse_server(const std::string& text, sockaddr_storage& out, socklen_t& length) {
  out = {};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  size_t colon = text.find(':');
  bool has_port = colon != std::string::npos && text.find(':', colon + 1) == std::string::npos;
  if (::inet_pton(AF_INET, text.substr(0, has_port ? colon : text.size()).c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(has_port ? static_cast<uint16_t>(std::atoi(text.c_str() + colon + 1)) : kDnsPort);
    length = sizeof *v4;
    return true;
  }
  size_t percent = text.find('%');
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(kDnsPort);
  if (percent != std::string::npos) v6->sin6_scope_id = static_cast<uint32_t>(std::atoi(text.c_str() + percent + 1));
  length = sizeof *v6;
  return true;
}

}  // namespace

DnsForwarder::DnsForwarder(EventLoop& loop, const std::vector<std::string>& servers) : loop_(loop) {
  for (const auto& text : servers) {
    sockaddr_storage address;
    socklen_t length;
    if (parse_server(text, address, length)) servers_.push_back({address, length});
  }
}

DnsForwarder::~DnsForwarder() {
  for (auto& [key, pending] : pending_) {
    if (pending->socket.valid()) loop_.forget(pending->socket.get());
  }
}

void DnsForwarder::ask(std::string query, size_t question_end, DnsTransport transport, Done done) {
  auto pending = std::make_shared<Pending>();
  pending->client_id = static_cast<uint16_t>(static_cast<uint8_t>(query[0]) << 8 | static_cast<uint8_t>(query[1]));
  pending->query = std::move(query);
  pending->question_end = question_end;
  pending->transport = transport;
  pending->done = std::move(done);
  bool full = pending_.size() >= kMaxPending;
  pending_[pending.get()] = pending;
  if (full) pending->attempt = servers_.size() * kRounds;
  next_attempt(pending);
}

void DnsForwarder::drop_socket(const PendingPtr& pending) {
  if (!pending->socket.valid()) return;
  loop_.forget(pending->socket.get());
  pending->socket.reset();
}

void DnsForwarder::next_attempt(const PendingPtr& pending) {
  drop_socket(pending);
  while (pending->attempt < servers_.size() * kRounds) {
    if (start_attempt(pending)) return;
    drop_socket(pending);
  }
  finish(pending, format_dns_result(pending->query, pending->question_end, DnsResult::ServerFailure));
}

bool DnsForwarder::start_attempt(const PendingPtr& pending) {
  const auto& [address, length] = servers_[pending->attempt++ % servers_.size()];
  bool tcp = pending->transport == DnsTransport::Tcp;
  pending->socket =
      sys::Fd(::socket(address.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!pending->socket.valid()) return false;
  int fd = pending->socket.get();
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), length) < 0 && errno != EINPROGRESS) return false;
  pending->id = random_id();
  set_dns_id(pending->query, pending->id);
  pending->in.clear();
  if (tcp) {
    uint16_t size = htons(static_cast<uint16_t>(pending->query.size()));
    pending->out.assign(reinterpret_cast<char*>(&size), sizeof size);
    pending->out += pending->query;
  } else if (::send(fd, pending->query.data(), pending->query.size(), MSG_NOSIGNAL) < 0) {
    return false;
  }
  pending->deadline = std::chrono::steady_clock::now() + kAttemptTimeout;
  std::weak_ptr<Pending> weak = pending;
  return loop_.watch(fd, tcp ? EPOLLIN | EPOLLOUT : EPOLLIN, [this, weak](uint32_t events) {
    if (auto alive = weak.lock()) on_event(alive, events);
  });
}

void DnsForwarder::on_event(const PendingPtr& pending, uint32_t events) {
  if (pending->transport == DnsTransport::Udp) return on_datagram(pending);
  if ((events & EPOLLOUT) && !pending->out.empty()) {
    ssize_t sent = ::send(pending->socket.get(), pending->out.data(), pending->out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return next_attempt(pending);
    if (sent > 0) pending->out.erase(0, static_cast<size_t>(sent));
    if (pending->out.empty()) loop_.change(pending->socket.get(), EPOLLIN);
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_stream(pending);
}

void DnsForwarder::on_datagram(const PendingPtr& pending) {
  std::string buffer(64 << 10, '\0');
  ssize_t got = ::recv(pending->socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) next_attempt(pending);  // ECONNREFUSED: nobody listens there
    return;
  }
  buffer.resize(static_cast<size_t>(got));
  accept_answer(pending, std::move(buffer));
}

void DnsForwarder::on_stream(const PendingPtr& pending) {
  char buffer[16 << 10];
  ssize_t got = ::recv(pending->socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return next_attempt(pending);
  pending->in.append(buffer, static_cast<size_t>(got));
  if (pending->in.size() < 2) return;
  size_t size = static_cast<uint8_t>(pending->in[0]) << 8 | static_cast<uint8_t>(pending->in[1]);
  if (pending->in.size() < size + 2) return;
  std::string answer = pending->in.substr(2, size);
  if (!is_dns_answer(pending->query, pending->question_end, pending->id, answer)) return next_attempt(pending);
  accept_answer(pending, std::move(answer));
}

void DnsForwarder::accept_answer(const PendingPtr& pending, std::string answer) {
  if (!is_dns_answer(pending->query, pending->question_end, pending->id, answer)) return;  // forged or late
  DnsResult result = dns_result_of(answer);
  bool useless = result == DnsResult::ServerFailure || result == DnsResult::Refused;
  if (useless && pending->attempt < servers_.size()) return next_attempt(pending);
  finish(pending, std::move(answer));
}

void DnsForwarder::finish(const PendingPtr& pending, std::string answer) {
  PendingPtr keep = pending;
  drop_socket(keep);
  pending_.erase(keep.get());
  set_dns_id(answer, keep->client_id);
  keep->done(std::move(answer));
}

void DnsForwarder::tick() {
  auto now = std::chrono::steady_clock::now();
  std::vector<PendingPtr> late;
  for (auto& [key, pending] : pending_) {
    if (pending->deadline <= now) late.push_back(pending);
  }
  for (auto& pending : late) next_attempt(pending);
}

}  // namespace sampan::network
