#include "logger/internal/channel.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "logger/internal/tls.h"
#include "sys/fd.h"

namespace sampan::logger {

namespace {

constexpr int kConnectMs = 10'000;

/// Go's words for an errno begin with a small letter.
std::string go_error(int err) {
  if (err == ETIMEDOUT) return "i/o timeout";
  std::string text = std::strerror(err);
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return "connect: " + text;
}

class SocketChannel final : public Channel {
 public:
  SocketChannel(sys::Fd fd, bool stream) : fd_(std::move(fd)), stream_(stream) {}

  Result<void> write(std::string_view bytes) override {
    if (stream_ && ended()) return fail(Code::Unavailable, "the server has closed the connection");
    while (!bytes.empty()) {
      ssize_t done = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0 && !stream_ && (errno == EMSGSIZE || errno == ENOBUFS)) return {};
      if (done < 0) return errno_error(errno, "write").with_code(Code::Unavailable);
      bytes.remove_prefix(static_cast<size_t>(done));
    }
    return {};
  }

  Result<size_t> read(std::span<char> buffer, std::chrono::milliseconds patience) override {
    pollfd polled{fd_.get(), POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(patience.count())) <= 0) return fail(Code::DeadlineExceeded, "i/o timeout");
    ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return fail(Code::Unavailable, "the server has closed the connection");
    return static_cast<size_t>(got);
  }

 private:
  /// A server that is going: what is written now would vanish without an error.
  bool ended() const {
    char byte;
    ssize_t got = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  }

  sys::Fd fd_;
  bool stream_;
};

/// 0 or an errno.
int connect_within(int fd, const sockaddr* address, socklen_t length) {
  int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  int err = ::connect(fd, address, length) == 0 ? 0 : errno;
  if (err == EINPROGRESS) {
    pollfd polled{fd, POLLOUT, 0};
    socklen_t size = sizeof err;
    if (::poll(&polled, 1, kConnectMs) <= 0)
      err = ETIMEDOUT;
    else
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
  }
  ::fcntl(fd, F_SETFL, flags);
  return err;
}

std::string format_address(const addrinfo& info) {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getnameinfo(info.ai_addr, info.ai_addrlen, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "?";
  return info.ai_family == AF_INET6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

struct Resolved {
  addrinfo* list = nullptr;
  ~Resolved() {
    if (list) ::freeaddrinfo(list);
  }
};

Result<sys::Fd> connect_network(const logs::Endpoint& endpoint, bool datagram) {
  const char* network = datagram ? "udp" : "tcp";
  addrinfo hints{};
  hints.ai_socktype = datagram ? SOCK_DGRAM : SOCK_STREAM;
  // As Go does, an address without a host is this host.
  std::string host = endpoint.host.empty() ? "127.0.0.1" : endpoint.host;
  Resolved found;
  if (::getaddrinfo(host.c_str(), endpoint.port.c_str(), &hints, &found.list) != 0)
    return fail(Code::Unavailable, "dial {}: lookup {}: no such host", network, host);
  std::optional<Error> first;
  for (const addrinfo* info = found.list; info; info = info->ai_next) {
    sys::Fd fd(::socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol));
    int err = fd.valid() ? connect_within(fd.get(), info->ai_addr, info->ai_addrlen) : errno;
    if (err == 0) return fd;
    if (!first) first = fail(Code::Unavailable, "dial {} {}: {}", network, format_address(*info), go_error(err));
  }
  return *std::move(first);
}

Result<sys::Fd> connect_unix(const std::string& path, bool datagram) {
  const char* network = datagram ? "unixgram" : "unix";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Code::InvalidArgument, "dial {} {}: connect: invalid argument", network, path);
  std::memcpy(address.sun_path, path.data(), path.size());
  sys::Fd fd(::socket(AF_UNIX, (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  int err = fd.valid() ? 0 : errno;
  if (err == 0 && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) err = errno;
  if (err != 0) return fail(Code::Unavailable, "dial {} {}: {}", network, path, go_error(err));
  return fd;
}

}  // namespace

Result<std::unique_ptr<Channel>> dial(const logs::Endpoint& endpoint, const std::optional<TlsOptions>& tls) {
  bool datagram = endpoint.scheme == "udp" || endpoint.scheme == "unixgram";
  if (endpoint.scheme.starts_with("unix")) {
    auto fd = TRY(connect_unix(endpoint.path, datagram));
    return std::unique_ptr<Channel>(std::make_unique<SocketChannel>(std::move(fd), !datagram));
  }
  auto fd = TRY(connect_network(endpoint, datagram));
  if (endpoint.scheme.ends_with("tls")) return open_tls(std::move(fd), endpoint.host, tls.value_or(TlsOptions{}));
  return std::unique_ptr<Channel>(std::make_unique<SocketChannel>(std::move(fd), !datagram));
}

}  // namespace sampan::logger
