#pragma once
// logger/receiver: where the entries of a log go: one driver's protocol over one connection.

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "logs/forward.h"

namespace sampan::logger {

using logs::ForwardedEntry;
using logs::ForwardHello;

/// What happens when a connection cannot be had.
struct RetryPlan {
  std::chrono::milliseconds first{100}, longest{10'000};
  double growth = 2;
  int64_t attempts = -1;  // after them the entries are given up; -1: never
  bool waits = false;     // for the server, however long: nothing is dropped because there is none
};

/// Threads: one. Blocks: yes.
class Receiver {
 public:
  virtual ~Receiver() = default;
  /// A new connection in place of the present one. Errors: in the words of Go's net package.
  virtual Result<void> connect() = 0;
  /// Sends all of them. After a failure the connection is useless; the same entries come again with the next one.
  virtual Result<void> send(std::span<const ForwardedEntry> entries) = 0;
  virtual RetryPlan retry() const { return {}; }
  /// Whether the container starts only if the first connection can be made.
  virtual bool must_connect() const { return true; }
};

/// Errors: InvalidArgument (options), NotFound (certificates).
Result<std::unique_ptr<Receiver>> make_syslog(const ForwardHello& hello);
Result<std::unique_ptr<Receiver>> make_gelf(const ForwardHello& hello);
Result<std::unique_ptr<Receiver>> make_fluentd(const ForwardHello& hello);
Result<std::unique_ptr<Receiver>> make_journald(const ForwardHello& hello);
/// By hello.driver.
Result<std::unique_ptr<Receiver>> make_receiver(const ForwardHello& hello);

/// The option, or "".
std::string setting(const ForwardHello& hello, const std::string& name);
std::string host_name();

}  // namespace sampan::logger
