#pragma once
// dbus: a connection to the system bus, for calls to systemd and its signals.
//
// sampan-runtime is a static program that starts in a few milliseconds: it can neither link nor dlopen libsystemd, and
// the protocol is small.

#include <chrono>
#include <deque>
#include <functional>
#include <string>

#include "base/result.h"
#include "cgroup/internal/dbus_wire.h"
#include "sys/fd.h"

namespace sampan::cgroup::internal {

class Bus {
 public:
  /// The bus of DBUS_SYSTEM_BUS_ADDRESS, else the usual socket. Errors: Unavailable.
  static Result<Bus> connect();

  struct Call {
    const char* destination;
    const char* path;
    const char* interface;
    const char* member;
    const char* signature;
  };
  /// Sends a call and waits for its answer, at most half a minute. Signals that come meanwhile are kept.
  /// Errors: Unavailable with the peer's words, the error's D-Bus name in the message; DeadlineExceeded.
  Result<WireMessage> call(const Call& call, const WireWriter& body);
  /// The next signal that `wanted` accepts; others are dropped. Errors: DeadlineExceeded after half a minute.
  Result<WireMessage> await_signal(const std::function<bool(const WireMessage&)>& wanted);

 private:
  explicit Bus(sys::Fd socket) : socket_(std::move(socket)) {}
  using Deadline = std::chrono::steady_clock::time_point;
  Result<void> authenticate(Deadline deadline);
  Result<void> fill(Deadline deadline);
  Result<WireMessage> receive(Deadline deadline);

  sys::Fd socket_;
  std::string input_;
  std::deque<WireMessage> signals_;
  uint32_t serial_ = 0;
};

}  // namespace sampan::cgroup::internal
