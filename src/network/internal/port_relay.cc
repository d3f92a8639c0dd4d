#include "network/internal/port_relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace sampan::network {

namespace {

constexpr size_t kChunk = 64 << 10;
constexpr size_t kMaxPairs = 4096;

bool open_pipe(sys::Fd& read, sys::Fd& write) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return false;
  read = sys::Fd(fds[0]);
  write = sys::Fd(fds[1]);
  return true;
}

enum class Moved { Some, Nothing, End, Broken };

Moved move_bytes(int from, int to, size_t limit, size_t& count) {
  ssize_t moved = ::splice(from, nullptr, to, nullptr, limit, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (moved == 0) return Moved::End;
  if (moved < 0) return errno == EAGAIN || errno == EINTR ? Moved::Nothing : Moved::Broken;
  count = static_cast<size_t>(moved);
  return Moved::Some;
}

/// Moves what can be moved from one socket through the pipe into the other. False: the connection is broken.
template <typename Pipe>
bool pump_one_way(int from, Pipe& pipe, int to) {
  for (bool moving = true; moving;) {
    moving = false;
    size_t count = 0;
    if (!pipe.ended) {
      Moved in = move_bytes(from, pipe.write.get(), kChunk, count);
      if (in == Moved::Broken) return false;
      if (in == Moved::End) pipe.ended = true;
      if (in == Moved::Some) pipe.held += count, moving = true;
    }
    if (pipe.held > 0) {
      Moved out = move_bytes(pipe.read.get(), to, pipe.held, count);
      if (out == Moved::Broken || out == Moved::End) return false;
      if (out == Moved::Some) pipe.held -= count, moving = true;
    }
  }
  if (pipe.ended && pipe.held == 0 && !pipe.told) {
    (void)::shutdown(to, SHUT_WR);  // a peer that has gone shows at the next read
    pipe.told = true;
  }
  return true;
}

}  // namespace

PortRelay::PortRelay(EventLoop& loop) : loop_(loop) {
  loop_.run([this] {
    loop_.add_timer(
        this, [this] { return !paused_.empty(); },
        [this] {
          for (int listener : std::exchange(paused_, {})) {
            if (listeners_.contains(listener)) loop_.change(listener, EPOLLIN);
          }
        });
  });
}

PortRelay::~PortRelay() {
  loop_.run([this] {
    loop_.remove_timers(this);
    for (auto& [listener, target] : listeners_) loop_.forget(listener);
    for (auto& [fd, pair] : pairs_) loop_.forget(pair->client.get()), loop_.forget(pair->container.get());
    listeners_.clear();
    paused_.clear();
    pairs_.clear();
  });
}

void PortRelay::serve(int listener, Ipv4 target, uint16_t target_port) {
  loop_.post([this, listener, target = Target{target, target_port}] {
    listeners_[listener] = target;
    (void)loop_.watch(listener, EPOLLIN, [this, listener, target](uint32_t) { accept_all(listener, target); });
  });
}

void PortRelay::forget(const std::vector<int>& listeners) {
  if (listeners.empty()) return;
  loop_.run([&] {
    for (int listener : listeners) {
      loop_.forget(listener);
      listeners_.erase(listener);
      std::erase(paused_, listener);
    }
  });
}

void PortRelay::accept_all(int listener, Target target) {
  for (;;) {
    sys::Fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.valid()) {
      if (pairs_.size() < kMaxPairs) open_pair(std::move(client), target);
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      loop_.change(listener, 0);
      paused_.push_back(listener);
    }
    if (errno != ECONNABORTED && errno != EINTR) return;
  }
}

void PortRelay::open_pair(sys::Fd client, Target target) {
  auto pair = std::make_shared<Pair>();
  pair->client = std::move(client);
  pair->container = sys::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!pair->container.valid()) return;
  if (!open_pipe(pair->up.read, pair->up.write) || !open_pipe(pair->down.read, pair->down.write)) return;
  int on = 1;
  for (int fd : {pair->client.get(), pair->container.get()}) {
    (void)::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  address.sin_addr.s_addr = htonl(target.address);
  if (::connect(pair->container.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 &&
      errno != EINPROGRESS) {
    return;
  }
  constexpr uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  pairs_[pair->client.get()] = pair;
  std::weak_ptr<Pair> weak = pair;
  auto callback = [this, weak](uint32_t) {
    if (auto alive = weak.lock()) pump(alive);
  };
  if (!loop_.watch(pair->container.get(), kEvents, callback) || !loop_.watch(pair->client.get(), kEvents, callback)) {
    close_pair(pair);
  }
}

/// Before the connection is up, reading it says ENOTCONN and writing EAGAIN: wait for its own event.
bool PortRelay::check_connected(const std::shared_ptr<Pair>& pair) {
  if (pair->connected) return true;
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  if (::getpeername(pair->container.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0) {
    pair->connected = true;
    return true;
  }
  int err = 0;
  socklen_t size = sizeof err;
  (void)::getsockopt(pair->container.get(), SOL_SOCKET, SO_ERROR, &err, &size);
  if (err != 0) close_pair(pair);
  return false;
}

void PortRelay::pump(const std::shared_ptr<Pair>& pair) {
  if (!check_connected(pair)) return;
  bool alive = pump_one_way(pair->client.get(), pair->up, pair->container.get()) &&
               pump_one_way(pair->container.get(), pair->down, pair->client.get());
  if (!alive || (pair->up.told && pair->down.told)) close_pair(pair);
}

void PortRelay::close_pair(const std::shared_ptr<Pair>& pair) {
  loop_.forget(pair->client.get());
  loop_.forget(pair->container.get());
  pairs_.erase(pair->client.get());
}

}  // namespace sampan::network
