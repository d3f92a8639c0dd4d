#pragma once
// logs/logger_link: a container's `sampan-logger`, and the entries that it has not taken yet.
//
// A logger that dies is replaced, at once the first time and then ever more slowly; what it held is lost (the copy on
// disk has it), what waits here goes to the next one.

#include <chrono>
#include <string>

#include "logs/forward.h"
#include "logs/internal/line_splitter.h"
#include "sys/fd.h"

namespace sampan::logs {

class LoggerLink {
 public:
  LoggerLink(std::string program, ForwardHello hello) : program_(std::move(program)), hello_(std::move(hello)) {}

  /// Starts the logger and waits for its first connection.
  Result<void> open();
  void add(const Entry& entry);
  /// Sends what the socket takes. Blocks: no.
  void push();
  /// Sends what waits, for `patience` at most, and lets the logger end.
  void close(std::chrono::milliseconds patience);

  int fd() const { return pending_.empty() ? -1 : socket_.get(); }
  bool stalled() const { return hello_.blocking && socket_.valid() && !pending_.empty(); }
  void trim();

 private:
  using Clock = std::chrono::steady_clock;
  Result<void> spawn();
  /// True when there is a logger, perhaps a new one.
  bool ensure_logger();
  void forget_logger();
  void drop_sent();

  std::string program_;
  ForwardHello hello_;
  sys::Fd socket_;
  std::string pending_;  // whole entries
  size_t sent_ = 0;      // of pending_
  Clock::time_point next_start_{};
  std::chrono::milliseconds delay_{0};
};

}  // namespace sampan::logs
