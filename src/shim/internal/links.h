#pragma once
// shim/links: the daemon's connections to a shim (one, as a rule; none while the daemon restarts), and the events that
// go out on them. End events are kept until a daemon has acknowledged them.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shim/internal/event_loop.h"
#include "shim/messages.h"
#include "sys/packet.h"

namespace sampan::shim {

class DaemonLinks final : public Handler {
 public:
  using OnRequest = std::function<void(sys::Packet packet)>;
  DaemonLinks(const EventLoop& loop, OnRequest on_request) : loop_(loop), on_request_(std::move(on_request)) {}

  /// Begins to accept connections at <dir>/shim.sock.
  Result<void> listen(int dir);
  void stop_listening() {
    watch_.reset();
    listener_.reset();
  }
  void adopt(sys::Fd link);
  bool connected() const { return !links_.empty(); }

  /// Sends, and keeps until it is acknowledged. Returns its number.
  uint64_t send_reliably(Event event);
  void acknowledge(uint64_t number);
  bool acknowledged(uint64_t number) const;
  /// What no daemon has acknowledged.
  std::vector<Event> unacknowledged() const;

  /// Forgets closed connections; tries again what did not fit.
  void tick();
  void on_ready(uint32_t events) override;  // of the listener

 private:
  struct Link final : Handler {
    DaemonLinks* owner = nullptr;
    sys::Fd socket;
    Watch watch;
    uint64_t sent = 0;  // number of the last reliable event it was sent
    bool closed = false;
    void on_ready(uint32_t) override { owner->receive(*this); }
  };
  struct Kept {
    uint64_t number;
    std::string text;
    enum class Sort { Other, Probe, HealthChange } sort;
  };
  void make_room(Kept::Sort sort, size_t most);

  void receive(Link& link);
  void send_kept(Link& link);

  // A daemon that never listens must not fill our memory.
  static constexpr size_t kMaxKept = 1024, kMaxProbes = 5, kMaxHealthChanges = 64;
  const EventLoop& loop_;
  OnRequest on_request_;
  sys::Fd listener_;
  Watch watch_;
  std::vector<std::unique_ptr<Link>> links_;
  std::deque<Kept> kept_;
  uint64_t last_number_ = 0;
};

}  // namespace sampan::shim
