#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <set>

#include "http/http.h"
#include "http/internal/bind.h"
#include "http/internal/connection.h"
#include "http/internal/tls_relay.h"
#include "sys/error.h"

namespace sampan::http {

namespace asio = async::asio;

namespace {

constexpr std::chrono::milliseconds kRetryAccept(50);
constexpr size_t kMaxHandshakes = 256;  // past that, the oldest gives way to the newest

/// Clients may use half of the descriptors: what they ask for needs the other half.
size_t connection_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 512;
  return std::clamp<size_t>(limit.rlim_cur / 2, 16, 16384);
}

/// One listening socket and its accept loop.
class Listener final {
 public:
  Listener(asio::io_context& loop, sys::Fd socket, int family, int protocol,
           std::shared_ptr<internal::ServerContext> tls)
      : descriptor_(loop, socket.release()), family_(family), protocol_(protocol), tls_(std::move(tls)) {}
  asio::posix::stream_descriptor& descriptor() { return descriptor_; }
  asio::generic::stream_protocol protocol() const { return {family_, protocol_}; }
  bool is_unix() const { return family_ == AF_UNIX; }
  const std::shared_ptr<internal::ServerContext>& tls() const { return tls_; }

 private:
  asio::posix::stream_descriptor descriptor_;
  int family_, protocol_;
  std::shared_ptr<internal::ServerContext> tls_;
};

class LoopServer final : public Server {
 public:
  LoopServer(asio::io_context& loop, Handler handler)
      : loop_(loop), state_(std::make_shared<State>()), handler_(std::make_shared<const Handler>(std::move(handler))) {}

  Result<void> listen_unix(const std::string& path) override {
    return listen_fd(TRY_CONTEXT(internal::bind_unix(path), "listen on " + path), nullptr);
  }

  Result<uint16_t> listen_tcp(const std::string& address, uint16_t port, std::shared_ptr<TlsIdentity> tls) override {
    auto [socket, bound] =
        TRY_CONTEXT(internal::bind_tcp(address, port), fmt::format("listen on {}:{}", address, port));
    TRY(listen_fd(std::move(socket), std::move(tls)));
    return bound;
  }

  Result<void> listen_fd(sys::Fd socket, std::shared_ptr<TlsIdentity> tls) override {
    int family = 0, protocol = 0;
    socklen_t size = sizeof(int);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return sys::sys_error("getsockopt");
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0) return sys::sys_error("getsockopt");
    int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) < 0) return sys::sys_error("fcntl");
    auto listener = std::make_shared<Listener>(loop_, std::move(socket), family, protocol,
                                               std::dynamic_pointer_cast<internal::ServerContext>(tls));
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
      auto handshakes = std::exchange(state->handshakes, {});
      for (auto& weak : handshakes) {
        if (auto relay = weak.lock()) relay->drop();
      }
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
    std::deque<std::weak_ptr<internal::TlsRelay>> handshakes;
    size_t limit = connection_limit();
  };

  static async::Task<void> accept_loop(std::shared_ptr<Listener> listener, std::shared_ptr<State> state,
                                       std::shared_ptr<const Handler> handler) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer pause(executor);
    auto token = asio::as_tuple(asio::use_awaitable);
    while (!state->stopping) {
      if (state->connections.size() >= state->limit) {  // whoever comes now waits in the backlog
        pause.expires_after(kRetryAccept);
        (void)co_await pause.async_wait(token);
        continue;
      }
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
    if (listener.tls()) {
      auto relay = std::make_shared<internal::TlsRelay>(std::move(socket), listener.tls()->context());
      asio::co_spawn(executor, serve_tls(relay, state, handler), [relay](std::exception_ptr thrown) {
        if (thrown) relay->drop();
      });
      return;
    }
    serve_plain(std::move(socket), peer, state, handler);
  }

  static void serve_plain(internal::Socket socket, const ucred& peer, const std::shared_ptr<State>& state,
                          const std::shared_ptr<const Handler>& handler) {
    auto executor = socket.get_executor();
    auto connection =
        std::make_shared<internal::Connection>(std::move(socket), peer.uid, static_cast<uint32_t>(peer.pid));
    state->connections.insert(connection);
    asio::co_spawn(executor, internal::serve(connection, handler),
                   [state, weak = std::weak_ptr(connection)](std::exception_ptr) { state->connections.erase(weak); });
  }

  // A client that has not shown its certificate holds a place that others may want: the oldest of too many goes.
  static async::Task<void> serve_tls(std::shared_ptr<internal::TlsRelay> relay, std::shared_ptr<State> state,
                                     std::shared_ptr<const Handler> handler) {
    auto& waiting = state->handshakes;
    std::erase_if(waiting, [](const auto& weak) { return weak.expired(); });
    if (waiting.size() >= kMaxHandshakes) {
      if (auto oldest = waiting.front().lock()) oldest->drop();
      waiting.pop_front();
    }
    std::weak_ptr weak(relay);
    waiting.push_back(weak);
    auto done = co_await relay->handshake();
    std::erase_if(state->handshakes,
                  [&weak](const auto& other) { return !other.owner_before(weak) && !weak.owner_before(other); });
    if (!done || state->stopping) co_return;
    auto inner = relay->open_inner();
    if (!inner) co_return;
    ucred nobody{};
    nobody.uid = static_cast<uid_t>(-1);
    serve_plain(std::move(*inner), nobody, state, handler);
    co_await relay->run();
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
