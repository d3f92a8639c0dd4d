#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cerrno>
#include <cstring>
#include <set>

#include "http/http.h"
#include "http/internal/connection.h"
#include "sys/error.h"

namespace sampan::http {

namespace asio = async::asio;

namespace {

constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kRetryAccept(50);

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

/// One listening socket and its accept loop.
class Listener final {
 public:
  Listener(asio::io_context& loop, sys::Fd socket, int family, int protocol)
      : descriptor_(loop, socket.release()), family_(family), protocol_(protocol) {}
  asio::posix::stream_descriptor& descriptor() { return descriptor_; }
  asio::generic::stream_protocol protocol() const { return {family_, protocol_}; }
  bool is_unix() const { return family_ == AF_UNIX; }

 private:
  asio::posix::stream_descriptor descriptor_;
  int family_, protocol_;
};

class LoopServer final : public Server {
 public:
  LoopServer(asio::io_context& loop, Handler handler)
      : loop_(loop), state_(std::make_shared<State>()), handler_(std::make_shared<const Handler>(std::move(handler))) {}

  Result<void> listen_unix(const std::string& path) override {
    return listen_fd(TRY_CONTEXT(bind_unix(path), "listen on " + path));
  }

  Result<void> listen_fd(sys::Fd socket) override {
    int family = 0, protocol = 0;
    socklen_t size = sizeof(int);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return sys::sys_error("getsockopt");
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0) return sys::sys_error("getsockopt");
    auto listener = std::make_shared<Listener>(loop_, std::move(socket), family, protocol);
    state_->listeners.push_back(listener);
    asio::co_spawn(loop_, accept_loop(listener, state_, handler_), [](std::exception_ptr) {});
    return {};
  }

  void stop() override {
    asio::post(loop_, [state = state_] {
      state->stopping = true;
      boost::system::error_code ignored;
      for (auto& listener : state->listeners) listener->descriptor().close(ignored);
      state->listeners.clear();
      auto connections = state->connections;  // cut_off() may end one, which edits the set
      for (auto& weak : connections) {
        if (auto connection = weak.lock()) connection->cut_off();
      }
    });
  }

 private:
  using Connections = std::set<std::weak_ptr<internal::Connection>, std::owner_less<>>;
  struct State {
    bool stopping = false;
    std::vector<std::shared_ptr<Listener>> listeners;
    Connections connections;
  };

  static async::Task<void> accept_loop(std::shared_ptr<Listener> listener, std::shared_ptr<State> state,
                                       std::shared_ptr<const Handler> handler) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer pause(executor);
    auto token = asio::as_tuple(asio::use_awaitable);
    while (!state->stopping) {
      int fd = ::accept4(listener->descriptor().native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        start_connection(*listener, sys::Fd(fd), state, handler, executor);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        auto [error] = co_await listener->descriptor().async_wait(asio::posix::descriptor_base::wait_read, token);
        if (error) break;
      } else if (errno == EINTR || errno == ECONNABORTED) {
        continue;
      } else {  // no descriptors or no memory: the connection waits in the backlog until some are free
        pause.expires_after(kRetryAccept);
        (void)co_await pause.async_wait(token);
      }
    }
  }

  static void start_connection(Listener& listener, sys::Fd fd, const std::shared_ptr<State>& state,
                               const std::shared_ptr<const Handler>& handler, const asio::any_io_executor& executor) {
    ucred peer{};
    peer.uid = static_cast<uid_t>(-1);
    socklen_t size = sizeof(peer);
    if (listener.is_unix()) (void)::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
    internal::Socket socket(executor);
    boost::system::error_code error;
    socket.assign(listener.protocol(), fd.get(), error);
    if (error) return;  // fd closes it
    (void)fd.release();
    auto connection =
        std::make_shared<internal::Connection>(std::move(socket), peer.uid, static_cast<uint32_t>(peer.pid));
    state->connections.insert(connection);
    asio::co_spawn(executor, internal::serve(connection, handler),
                   [state, weak = std::weak_ptr(connection)](std::exception_ptr) { state->connections.erase(weak); });
  }

  asio::io_context& loop_;
  std::shared_ptr<State> state_;
  std::shared_ptr<const Handler> handler_;
};

}  // namespace

std::unique_ptr<Server> make_server(asio::io_context& loop, Handler handler) {
  return std::make_unique<LoopServer>(loop, std::move(handler));
}

}  // namespace sampan::http
