#pragma once
// logger/channel: one connection to a server, with blocking calls.

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/endpoint.h"

namespace sampan::logger {

class Channel {
 public:
  virtual ~Channel() = default;
  /// All of the bytes; one datagram on datagram sockets, where one that is too large is dropped.
  /// Errors: Unavailable when the other side has gone (also when it has only closed its end).
  virtual Result<void> write(std::string_view bytes) = 0;
  /// What comes within `patience`. Errors: Unavailable at the end of the stream, DeadlineExceeded.
  virtual Result<size_t> read(std::span<char> buffer, std::chrono::milliseconds patience) = 0;
};

struct TlsOptions {
  std::string ca_file, cert_file, key_file;
  bool skip_verify = false;
};

/// Connects within ten seconds. "tcp+tls" and "tls" endpoints need `tls`.
/// Errors: "dial tcp 127.0.0.1:514: connect: connection refused", as Go's net package has it.
Result<std::unique_ptr<Channel>> dial(const logs::Endpoint& endpoint, const std::optional<TlsOptions>& tls = {});

}  // namespace sampan::logger
