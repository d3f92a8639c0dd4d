#include "http/internal/bind.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "sys/error.h"

namespace sampan::http::internal {

namespace {

constexpr int kBacklog = 4096;

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(Code::InvalidArgument, "socket path \"{}\" must have 1 to {} bytes", path,
                sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// True when somebody listens at the path.
Result<bool> is_live(const std::string& path) {
  sockaddr_un address = TRY(unix_address(path));
  sys::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return sys::sys_error("socket");
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return true;
  return errno == EAGAIN;  // its backlog is full: very much alive
}

}  // namespace

// The socket gets its mode before it gets its name: nobody connects through a window of looser permissions, and a
// stale socket is replaced in one step.
Result<sys::Fd> bind_unix(const std::string& path) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode)) return fail(Code::Conflict, "\"{}\" exists and is not a socket", path);
    if (TRY(is_live(path))) return fail(Code::Conflict, "another daemon listens on \"{}\"", path);
  }
  std::string temporary = path + ".new";
  sockaddr_un address = TRY(unix_address(temporary));
  (void)::unlink(temporary.c_str());  // left by a start that was killed
  sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return sys::sys_error("socket");
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
    return sys::sys_error("bind", temporary);
  }
  if (::chmod(temporary.c_str(), 0660) < 0) return sys::sys_error("chmod", temporary);
  if (::listen(socket.get(), kBacklog) < 0) return sys::sys_error("listen", temporary);
  if (::rename(temporary.c_str(), path.c_str()) < 0) return sys::sys_error("rename", path);
  return socket;
}

namespace {

void switch_on(int socket, int level, int option) {
  int on = 1;
  (void)::setsockopt(socket, level, option, &on, sizeof(on));  // without it things are slower, not wrong
}

Result<sys::Fd> listen_at(const addrinfo& where) {
  sys::Fd socket(::socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return sys::sys_error("socket");
  switch_on(socket.get(), SOL_SOCKET, SO_REUSEADDR);
  switch_on(socket.get(), SOL_SOCKET, SO_KEEPALIVE);  // what is accepted here inherits both
  switch_on(socket.get(), IPPROTO_TCP, TCP_NODELAY);
  if (where.ai_family == AF_INET6) switch_on(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  if (::bind(socket.get(), where.ai_addr, where.ai_addrlen) < 0) return sys::sys_error("bind");
  if (::listen(socket.get(), kBacklog) < 0) return sys::sys_error("listen");
  return socket;
}

Result<uint16_t> port_of(const sys::Fd& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
    return sys::sys_error("getsockname");
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

Result<std::pair<sys::Fd, uint16_t>> bind_tcp(const std::string& address, uint16_t port) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (int error = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &wanted, &found); error != 0) {
    return fail(Code::NotFound, "address \"{}\": {}", address, ::gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  auto socket = TRY(listen_at(*found));
  uint16_t bound = TRY(port_of(socket));
  return std::pair(std::move(socket), bound);
}

}  // namespace sampan::http::internal
