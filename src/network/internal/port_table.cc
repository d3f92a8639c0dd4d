#include "network/internal/port_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "network/internal/firewall.h"
#include "sys/error.h"

namespace sampan::network {

namespace {

constexpr uint16_t kFirstPort = 32768, kLastPort = 60999;

bool is_everywhere(const std::string& ip) {
  return ip.empty() || ip == "0.0.0.0";
}

/// The socket that holds a port at one address. An invalid descriptor: the protocol or family does not exist here.
Result<sys::Fd> bind_socket(int family, uint8_t protocol, const sockaddr* address, socklen_t length) {
  int type = protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
  sys::Fd fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd.valid()) {
    if (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT || errno == ESOCKTNOSUPPORT) return sys::Fd();
    return sys::sys_error("socket");
  }
  int on = 1;
  // A listener still excludes another one; only connections in TIME_WAIT, left by our relay, are looked past.
  if (type == SOCK_STREAM) (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), address, length) < 0) return sys::sys_error("bind");
  if (type == SOCK_STREAM && ::listen(fd.get(), 128) < 0) return sys::sys_error("bind");
  return fd;
}

Result<sys::Fd> bind_ipv4(uint8_t protocol, Ipv4 ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(ip);
  return bind_socket(AF_INET, protocol, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

Result<sys::Fd> bind_ipv6(uint8_t protocol, const in6_addr& ip, uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = ip;
  auto bound = bind_socket(AF_INET6, protocol, reinterpret_cast<sockaddr*>(&address), sizeof address);
  // FALLBACK(IPv6 switched off by sysctl): nobody can arrive there.
  if (!bound && bound.error().errno_value() == EADDRNOTAVAIL && IN6_IS_ADDR_UNSPECIFIED(&ip)) return sys::Fd();
  return bound;
}

std::string shown(const std::string& host_ip) {
  if (host_ip.empty()) return "0.0.0.0";
  return host_ip.find(':') == std::string::npos ? host_ip : "[" + host_ip + "]";
}

std::string prefix_of(const Endpoint& owner) {
  return fmt::format("driver failed programming external connectivity on endpoint {} ({})", owner.container_name,
                     owner.endpoint_id);
}

std::string go_words(int err) {
  std::string text = std::strerror(err);
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

Error bind_error(const Endpoint& owner, const PortMapping& mapping, const char* family, const std::string& ip,
                 const Error& cause) {
  std::string where = fmt::format("{}:{}", shown(ip), mapping.host_port);
  Code code = cause.errno_value() == EADDRINUSE ? Code::Conflict : cause.code();
  return Error(code,
               fmt::format("{}: failed to bind port {}/{}: listen {}{} {}: bind: {}", prefix_of(owner), where,
                           mapping.protocol, mapping.protocol, family, where, go_words(cause.errno_value())),
               cause.errno_value());
}

}  // namespace

bool PortTable::is_held(const PortMapping& mapping) const {
  auto [first, last] = addresses_.equal_range({mapping.protocol, mapping.host_port});
  for (auto it = first; it != last; ++it) {
    bool one_is_ipv6 = it->second.find(':') != std::string::npos;
    bool other_is_ipv6 = mapping.host_ip.find(':') != std::string::npos;
    if (one_is_ipv6 != other_is_ipv6) continue;  // the kernel's word decides between families
    if (is_everywhere(it->second) || is_everywhere(mapping.host_ip) || it->second == mapping.host_ip) return true;
  }
  return false;
}

Result<PortTable::Held> PortTable::bind_one(const Endpoint& owner, PortMapping wanted) const {
  uint8_t protocol = TRY(parse_protocol(wanted.protocol));
  Held held{wanted, {}, {}};
  if (is_held(wanted)) {
    return fail(Code::Conflict, "{}: Bind for {}:{} failed: port is already allocated", prefix_of(owner),
                shown(wanted.host_ip), wanted.host_port);
  }
  in6_addr ipv6 = in6addr_any;
  bool only_ipv6 = wanted.host_ip.find(':') != std::string::npos;
  if (only_ipv6 && ::inet_pton(AF_INET6, wanted.host_ip.c_str(), &ipv6) != 1) {
    return fail(Code::InvalidArgument, "invalid IP address {}", wanted.host_ip);
  }
  if (only_ipv6 && protocol != IPPROTO_TCP) {
    return fail(Code::NotImplemented, "{}: IPv6 addresses carry tcp only", prefix_of(owner));
  }
  if (!only_ipv6) {
    auto ip = is_everywhere(wanted.host_ip) ? std::optional<Ipv4>(0) : parse_ipv4(wanted.host_ip);
    if (!ip) return fail(Code::InvalidArgument, "invalid IP address {}", wanted.host_ip);
    auto bound = bind_ipv4(protocol, *ip, wanted.host_port);
    if (!bound) return bind_error(owner, wanted, "4", wanted.host_ip, bound.error());
    held.ipv4 = std::move(*bound);
  }
  if (protocol == IPPROTO_TCP && (only_ipv6 || is_everywhere(wanted.host_ip))) {
    auto bound = bind_ipv6(protocol, ipv6, wanted.host_port);
    if (!bound) return bind_error(owner, wanted, "6", only_ipv6 ? wanted.host_ip : "::", bound.error());
    held.ipv6 = std::move(*bound);
  }
  return held;
}

Result<PortTable::Held> PortTable::bind_any_port(const Endpoint& owner, PortMapping wanted) {
  for (int tries = 0; tries <= kLastPort - kFirstPort; ++tries) {
    wanted.host_port = next_port_;
    next_port_ = next_port_ == kLastPort ? kFirstPort : static_cast<uint16_t>(next_port_ + 1);
    auto held = bind_one(owner, wanted);
    if (held || held.error().code() != Code::Conflict) return held;
  }
  return fail(Code::ResourceExhausted, "{}: all ports are allocated", prefix_of(owner));
}

void PortTable::start_relay(const Held& held, const std::string& target) const {
  auto address = parse_ipv4(target);
  if (!address || held.mapping.protocol != "tcp") return;
  if (held.ipv4.valid()) relay_.serve(held.ipv4.get(), *address, held.mapping.container_port);
  if (held.ipv6.valid()) relay_.serve(held.ipv6.get(), *address, held.mapping.container_port);
}

Result<std::vector<PortMapping>> PortTable::reserve(const Endpoint& owner, const std::vector<PortMapping>& wanted) {
  std::vector<PortMapping> resolved;
  auto& mine = held_[owner.endpoint_id];
  for (PortMapping mapping : wanted) {
    if (mapping.protocol.empty()) mapping.protocol = "tcp";
    auto held = mapping.host_port ? bind_one(owner, mapping) : bind_any_port(owner, mapping);
    if (!held) {
      release(owner.endpoint_id);
      return std::move(held).error();
    }
    resolved.push_back(held->mapping);
    addresses_.emplace(std::pair(held->mapping.protocol, held->mapping.host_port), held->mapping.host_ip);
    start_relay(*held, owner.ip_address);
    mine.push_back(std::move(*held));
  }
  return resolved;
}

void PortTable::adopt(const Endpoint& owner) {
  auto& mine = held_[owner.endpoint_id];
  for (const auto& mapping : owner.ports) {
    auto held = bind_one(owner, mapping);
    if (!held) held = Held{mapping, {}, {}};
    addresses_.emplace(std::pair(mapping.protocol, mapping.host_port), mapping.host_ip);
    start_relay(*held, owner.ip_address);
    mine.push_back(std::move(*held));
  }
}

void PortTable::release(const std::string& endpoint_id) {
  auto found = held_.find(endpoint_id);
  if (found == held_.end()) return;
  std::vector<int> listeners;
  for (const auto& held : found->second) {
    if (held.ipv4.valid() && held.mapping.protocol == "tcp") listeners.push_back(held.ipv4.get());
    if (held.ipv6.valid()) listeners.push_back(held.ipv6.get());
    auto [first, last] = addresses_.equal_range({held.mapping.protocol, held.mapping.host_port});
    for (auto it = first; it != last; ++it) {
      if (it->second != held.mapping.host_ip) continue;
      addresses_.erase(it);
      break;
    }
  }
  relay_.forget(listeners);
  held_.erase(found);
}

}  // namespace sampan::network
