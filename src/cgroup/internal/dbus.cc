#include "cgroup/internal/dbus.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/strings.h"
#include "sys/error.h"

namespace sampan::cgroup::internal {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr size_t kMaxSignals = 1000;  // of units that are not ours

/// The first unix socket of an address list ("unix:path=/a,guid=b;unix:abstract=c"); '@' stands for an abstract one.
std::string socket_of(const std::string& address) {
  for (const auto& one : split(address, ';')) {
    if (!one.starts_with("unix:")) continue;
    for (const auto& pair : split(std::string_view(one).substr(5), ',')) {
      if (pair.starts_with("path=")) return pair.substr(5);
      if (pair.starts_with("abstract=")) return "@" + pair.substr(9);
    }
  }
  return {};
}

Result<sys::Fd> connect_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(Code::InvalidArgument, "bad D-Bus address \"{}\"", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  socklen_t size = offsetof(sockaddr_un, sun_path) + static_cast<socklen_t>(path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return sys::sys_error("socket");
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) < 0) return sys::sys_error("connect", path);
  return fd;
}

Result<void> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return sys::sys_error("send to the system bus");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

}  // namespace

Result<Bus> Bus::connect() {
  const char* given = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
  std::string path = given && *given ? socket_of(given) : "/run/dbus/system_bus_socket";
  auto socket = connect_socket(path);
  if (!socket) return fail(Code::Unavailable, "unable to connect to the system bus: {}", socket.error().message());
  Bus bus(std::move(*socket));
  TRY_CONTEXT(bus.authenticate(std::chrono::steady_clock::now() + kPatience), "system bus");
  TRY(bus.call({"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", ""}, {}));
  return bus;
}

Result<void> Bus::authenticate(Deadline deadline) {
  std::string hello("\0AUTH EXTERNAL ", 15);
  for (char digit : std::to_string(::geteuid())) hello += fmt::format("{:02x}", digit);
  TRY(send_all(socket_.get(), hello + "\r\n"));
  while (input_.find("\r\n") == std::string::npos) {
    if (input_.size() > 4096) return fail(Code::Unavailable, "the bus talks without end");
    TRY(fill(deadline));
  }
  if (!input_.starts_with("OK ")) return fail(Code::Unavailable, "the bus refuses: {}", trim(input_));
  input_.erase(0, input_.find("\r\n") + 2);
  return send_all(socket_.get(), "BEGIN\r\n");
}

Result<void> Bus::fill(Deadline deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return fail(Code::DeadlineExceeded, "the system bus gave no answer in time");
  pollfd entry{socket_.get(), POLLIN, 0};
  if (::poll(&entry, 1, static_cast<int>(left.count())) <= 0) return {};  // the caller asks again
  char buffer[4096];
  ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (size < 0 && errno == EINTR) return {};
  if (size < 0) return sys::sys_error("receive from the system bus");
  if (size == 0) return fail(Code::Unavailable, "the system bus hung up");
  input_.append(buffer, static_cast<size_t>(size));
  return {};
}

Result<WireMessage> Bus::receive(Deadline deadline) {
  for (;;) {
    size_t size = TRY(message_size(input_));
    if (size == 0 || input_.size() < size) {
      TRY(fill(deadline));
      continue;
    }
    auto message = parse_message(std::string_view(input_).substr(0, size));
    input_.erase(0, size);
    return message;
  }
}

Result<WireMessage> Bus::call(const Call& call, const WireWriter& body) {
  WireMessage out;
  out.serial = ++serial_;
  out.destination = call.destination;
  out.path = call.path;
  out.interface = call.interface;
  out.member = call.member;
  out.signature = call.signature;
  out.body = body.bytes();
  TRY(send_all(socket_.get(), format_message(out)));
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    auto message = TRY(receive(deadline));
    if (message.type == MessageType::Signal && signals_.size() < kMaxSignals)
      signals_.push_back(std::move(message));
    else if (message.reply_to == out.serial && message.type == MessageType::Return)
      return message;
    else if (message.reply_to == out.serial && message.type == MessageType::Error) {
      auto words = body_words(message);
      return fail(Code::Unavailable, "{}: {} ({})", call.member, words.empty() ? "refused" : words[0], message.error);
    }
  }
}

Result<WireMessage> Bus::await_signal(const std::function<bool(const WireMessage&)>& wanted) {
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    if (signals_.empty()) {
      auto message = TRY(receive(deadline));
      if (message.type == MessageType::Signal) signals_.push_back(std::move(message));
      continue;
    }
    auto message = std::move(signals_.front());
    signals_.pop_front();
    if (wanted(message)) return message;
  }
}

}  // namespace sampan::cgroup::internal
