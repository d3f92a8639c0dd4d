#pragma once
// shim/client: one attached connection: output goes to it through a bounded queue, input comes from it.
//
//   Serving --finish()--> Flushing (the queue empties) --> Lingering (we have shut down, the peer's input is discarded)
//      \______________ gone, or no progress in kPatience _______________________________________\--> Dead
//
// Lingering exists because closing a TCP socket with unread input resets the connection, and the peer would lose the
// end of the output.

#include <optional>
#include <string>
#include <string_view>

#include "logs/logs.h"
#include "shim/detach_keys.h"
#include "shim/internal/event_loop.h"
#include "shim/internal/scratch.h"
#include "shim/messages.h"
#include "sys/fd.h"

namespace sampan::shim {

inline constexpr size_t kQueueLimit = 256 << 10;             // then the container's pipe is left alone ...
inline constexpr auto kPatience = std::chrono::seconds(10);  // ... for this long at most, without any progress
inline constexpr auto kLinger = std::chrono::seconds(2);

/// The header of Docker's multiplexed stream: the stream's number and the payload's length.
std::array<char, 8> frame_header(logs::Stream stream, size_t length);

class AttachedClient;
/// Who a client's input goes to.
class ClientOwner {
 public:
  virtual void take_input(std::string_view bytes) = 0;
  /// The client has shut down its side. True: keep sending output to it.
  virtual bool input_ended() = 0;
  virtual void detached() = 0;
  /// The queue became empty enough, or the client died.
  virtual void client_changed() = 0;

 protected:
  ~ClientOwner() = default;
};

class AttachedClient final : public Handler {
 public:
  AttachedClient(const EventLoop& loop, ScratchBuffer& scratch, ClientOwner& owner, sys::Fd socket,
                 const WireAttach& wiring, std::string detach_keys);

  /// What the client had sent before it was handed over.
  void begin(std::string_view leftover_input);
  void deliver(logs::Stream stream, std::string_view bytes);
  /// No more output: sends what is queued, then closes.
  void finish();
  /// The process cannot take more input at present.
  void pause_input(bool paused);

  size_t queued() const { return queue_.size() - sent_; }
  bool full() const { return queued() >= kQueueLimit; }
  bool dead() const { return state_ == State::Dead; }
  void tick(Clock::time_point now);
  std::optional<Clock::time_point> deadline() const;
  void on_ready(uint32_t events) override;

 private:
  enum class State { Serving, Flushing, Lingering, Dead };

  void send_queue();
  void read_input();
  void handle_input(std::string_view bytes);
  void handle_input_end();
  void start_lingering();
  void die();
  void update_watch();

  const EventLoop& loop_;
  ScratchBuffer& scratch_;
  ClientOwner& owner_;
  sys::Fd socket_;
  Watch watch_;
  WireAttach wiring_;
  DetachScanner scanner_;
  State state_ = State::Serving;
  bool input_open_ = true, input_paused_ = false, hung_up_ = false;
  std::string queue_;
  size_t sent_ = 0;             // of queue_
  Clock::time_point progress_;  // when the peer last took something, or the queue began
};

}  // namespace sampan::shim
