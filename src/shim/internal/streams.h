#pragma once
// shim/streams: the standard streams of one process, its log, and the clients attached to it.
//
// Output is read only while every client can take it: a client whose queue is full holds the process back, but for
// kPatience at most; then the client is dropped. The log holds it back while its receiver takes nothing, when it is to
// lose nothing (blocking mode). Input from clients is read only while the process takes it.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/runtime.h"
#include "shim/internal/client.h"

namespace sampan::shim {

struct StreamOptions {
  bool tty = false, open_stdin = false;
  bool stdin_once = false;      // the end of the first client's input is the end of the process's
  logs::Writer* log = nullptr;  // nullptr: nothing is recorded
  std::string* kept = nullptr;  // gets the first kOutputKept bytes of both streams
};

inline constexpr size_t kOutputKept = 4096;

codec::Time now_wall();

class ProcessStreams final : public ClientOwner {
 public:
  ProcessStreams(const EventLoop& loop, ScratchBuffer& scratch, StreamOptions options, std::function<void()> on_detach);

  /// Makes the pipes; the result is the process's side of them. Nothing is made for a terminal.
  Result<runtime::Stdio> open_pipes();
  /// The process exists: closes its side of the pipes, takes its terminal, and begins to listen.
  void adopt(sys::Fd console);

  /// Errors: InvalidArgument (detach keys).
  Result<void> attach(sys::Fd client, const WireAttach& wiring, std::string_view leftover_input);
  /// Errors: Conflict without a terminal.
  Result<void> resize(uint16_t rows, uint16_t columns);

  /// Reads what is there now, whether the clients keep up or not.
  void drain();
  bool output_ended() const;
  /// The process has ended: no more output, no more input.
  void close_pipes();
  void finish_clients();
  bool has_clients() const { return !clients_.empty(); }

  void tick(Clock::time_point now);
  std::optional<Clock::time_point> deadline() const;

  void take_input(std::string_view bytes) override;
  bool input_ended() override;
  void detached() override { on_detach_(); }
  void client_changed() override { clients_changed_ = true; }

 private:
  struct Output final : Handler {
    ProcessStreams* owner = nullptr;
    logs::Stream stream = logs::Stream::Stdout;
    sys::Fd fd;
    Watch watch;
    void on_ready(uint32_t) override { (void)owner->read_output(*this); }
  };
  struct Input final : Handler {
    ProcessStreams* owner = nullptr;
    sys::Fd fd;
    Watch watch;
    std::string queue;
    bool close_when_empty = false;
    void on_ready(uint32_t) override { owner->write_input(); }
  };

  /// The log's receiver can take more.
  struct Backlog final : Handler {
    ProcessStreams* owner = nullptr;
    Watch watch;
    void on_ready(uint32_t) override { owner->push_backlog(); }
  };

  bool read_output(Output& output);
  void write_log(logs::Stream stream, std::string_view bytes);
  void push_backlog();
  void write_input();
  void close_input();
  void update_watches();

  const EventLoop& loop_;
  ScratchBuffer& scratch_;
  StreamOptions options_;
  std::function<void()> on_detach_;
  Output outputs_[2];
  Input input_;
  Backlog backlog_;
  sys::Fd child_ends_[3];
  std::vector<std::unique_ptr<AttachedClient>> clients_;
  bool adopted_ = false, paused_ = false, clients_changed_ = false;
};

}  // namespace sampan::shim
