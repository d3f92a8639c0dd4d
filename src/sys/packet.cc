#include "sys/packet.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sys/error.h"
#include "sys/file.h"

namespace sampan::sys {

namespace {

Result<std::pair<Fd, Fd>> make_pair_of(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) return sys_error("socketpair");
  return std::pair(Fd(fds[0]), Fd(fds[1]));
}

/// True when the socket became ready in time; an interrupted wait starts again.
bool wait_for(int socket, short events, std::chrono::milliseconds wait) {
  auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd poller{socket, events, 0};
    int ready = ::poll(&poller, 1, static_cast<int>(std::max<int64_t>(left.count() + 1, 0)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

sockaddr_un address_of(int dir, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, name.c_str());
  return address;
}

Result<Fd> make_socket() {
  int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return sys_error("socket");
  return Fd(fd);
}

void take_descriptors(msghdr& message, std::vector<Fd>& out) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      out.emplace_back(fd);
    }
  }
}

}  // namespace

Result<std::pair<Fd, Fd>> make_packet_pair() {
  return make_pair_of(SOCK_SEQPACKET);
}
Result<std::pair<Fd, Fd>> make_stream_pair() {
  return make_pair_of(SOCK_STREAM);
}

Result<void> send_packet(int socket, std::string_view bytes, std::span<const int> fds, std::chrono::milliseconds wait) {
  if (fds.size() > kMaxPacketFds) return fail(Code::Internal, "too many descriptors in one packet");
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPacketFds)] = {};
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == EAGAIN && wait.count() > 0 && wait_for(socket, POLLOUT, wait)) continue;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
      return sys_error("send").with_code(Code::Unavailable);
    }
    if (errno == EAGAIN) return sys_error("send").with_code(Code::ResourceExhausted);
    return sys_error("send");
  }
}

Result<std::optional<Packet>> receive_packet(int socket, std::chrono::milliseconds wait) {
  // The length first: messages are small, and a large buffer on the stack would stay in the memory of an idle shim.
  ssize_t length;
  while ((length = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT)) < 0) {
    // The other side left with something of ours unread. The kernel says so once; what it had sent before is still
    // there.
    if (errno == EINTR || errno == ECONNRESET) continue;
    if (errno != EAGAIN) return sys_error("recv");
    if (wait.count() <= 0 || !wait_for(socket, POLLIN, wait)) return std::optional<Packet>();
  }
  Packet packet;
  packet.bytes.resize(static_cast<size_t>(length));
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxPacketFds)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) {
    if (errno == EAGAIN) return std::optional<Packet>();  // another thread took it
    return sys_error("recvmsg");
  }
  take_descriptors(message, packet.fds);
  if (message.msg_flags & MSG_CTRUNC) return fail(Code::DataLoss, "descriptors were lost: too many open files");
  packet.bytes.resize(static_cast<size_t>(got));
  packet.end = got == 0 && packet.fds.empty();
  return std::optional<Packet>(std::move(packet));
}

Result<Packet> receive_packet(int socket) {
  for (;;) {
    auto packet = TRY(receive_packet(socket, std::chrono::hours(1)));
    if (packet) return std::move(*packet);
  }
}

Result<Fd> listen_packets(int dir, const std::string& name) {
  auto socket = TRY(make_socket());
  sockaddr_un address = address_of(dir, name);
  // The mode has to be right from the first moment on: between bind and chmod somebody could connect.
  mode_t old_mask = ::umask(0177);
  int bound = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  int err = errno;
  ::umask(old_mask);
  if (bound != 0) return sys_error_of(err, "bind", name);
  if (::listen(socket.get(), 16) != 0) return sys_error("listen", name);
  return socket;
}

Result<Fd> connect_packets(int dir, const std::string& name) {
  auto socket = TRY(make_socket());
  sockaddr_un address = address_of(dir, name);
  int connected;
  do {
    connected = ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  } while (connected != 0 && errno == EINTR);
  if (connected != 0) {
    Error error = sys_error("connect", name);
    bool missing = error.errno_value() == ENOENT;
    return std::move(error).with_code(missing ? Code::NotFound : Code::Unavailable);
  }
  return socket;
}

Result<Fd> connect_stream(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Code::InvalidArgument, "socket path \"{}\" is longer than {} bytes", path, sizeof address.sun_path - 1);
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return sys_error("socket");
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return sys_error("connect", path);
  return socket;
}

Result<std::optional<Fd>> accept_packets(int listener) {
  int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) return std::optional<Fd>(Fd(fd));
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return std::optional<Fd>();
  return sys_error("accept");
}

Result<Fd> make_memory_file(const char* name, std::span<const std::string_view> parts) {
  Fd file(::memfd_create(name, MFD_CLOEXEC));
  if (!file.valid()) return sys_error("memfd_create", name);
  for (std::string_view part : parts) TRY(write_all(file.get(), part));
  return file;
}

Result<std::string> read_memory_file(int fd, size_t limit) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return sys_error("fstat");
  if (static_cast<size_t>(info.st_size) > limit)
    return fail(Code::ResourceExhausted, "message of {} bytes", info.st_size);
  std::string out(static_cast<size_t>(info.st_size), '\0');
  size_t at = 0;
  while (at < out.size()) {
    ssize_t got = ::pread(fd, out.data() + at, out.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return sys_error("pread");
    if (got == 0) break;
    at += static_cast<size_t>(got);
  }
  out.resize(at);
  return out;
}

}  // namespace sampan::sys
