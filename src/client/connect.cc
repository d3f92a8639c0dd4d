// Opening the socket that a host names.
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/strings.h"
#include "client/client.h"
#include "sys/error.h"

namespace sampan::client {

namespace {

Error connect_error(const std::string& host, int err) {
  if (err == EACCES || err == EPERM) {
    return Error(Code::PermissionDenied,
                 fmt::format("permission denied while trying to connect to the Sampan daemon at {}", host), err);
  }
  return Error(Code::Unavailable,
               fmt::format("Cannot connect to the Sampan daemon at {}. Is the daemon running?", host), err);
}

Result<sys::Fd> connect_unix(const std::string& host, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Code::InvalidArgument, "unix socket path \"{}\" is empty or too long", path);
  }
  path.copy(address.sun_path, path.size());
  sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return sys::sys_error("socket");
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    return connect_error(host, errno);
  }
  return socket;
}

Result<sys::Fd> connect_tcp(const std::string& host, std::string_view authority) {
  size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return fail(Code::InvalidArgument, "no port in docker host `{}`", host);
  std::string name(authority.substr(0, colon));
  std::string port(authority.substr(colon + 1));
  while (!port.empty() && port.back() == '/') port.pop_back();
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  if (name.empty() || name == "localhost") name = "127.0.0.1";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (int err = ::getaddrinfo(name.c_str(), port.c_str(), &hints, &found); err != 0) {
    return fail(Code::Unavailable, "Cannot connect to the Sampan daemon at {}: {}", host, ::gai_strerror(err));
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int err = ECONNREFUSED;
  for (addrinfo* item = found; item; item = item->ai_next) {
    sys::Fd socket(::socket(item->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.valid() && ::connect(socket.get(), item->ai_addr, item->ai_addrlen) == 0) {
      int on = 1;
      (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // only a matter of speed
      return socket;
    }
    err = errno;
  }
  return connect_error(host, err);
}

}  // namespace

Result<sys::Fd> connect_socket(const std::string& host) {
  if (host.starts_with("unix://")) return connect_unix(host, host.substr(7));
  if (host.starts_with("tcp://")) return connect_tcp(host, std::string_view(host).substr(6));
  return fail(Code::InvalidArgument, "unable to parse docker host `{}`", host);
}

}  // namespace sampan::client
