#pragma once
// client: the Engine API from the outside: HTTP/1.1 over a unix or TCP socket, blocking, for the command line.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "sys/fd.h"

namespace sampan::client {

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string header(std::string_view name) const;
};
struct CallOptions {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  ByteSource* body_source = nullptr;    // sent chunked when set
};

class Client {
 public:
  virtual ~Client() = default;
  /// The whole answer, whatever its status. Errors: Unavailable "Cannot connect to the Sampan daemon at ...".
  virtual Result<Response> call(const std::string& method, const std::string& path, const CallOptions& options = {}) = 0;
  /// As call(), but a 2xx body is handed over piece by piece as it arrives; other bodies are collected.
  virtual Result<Response> stream(const std::string& method, const std::string& path, const CallOptions& options,
                                  const std::function<Result<void>(std::string_view)>& chunk) = 0;
  /// Sends an upgrade request and returns the raw connection, with the bytes that came behind the head.
  struct Upgraded {
    sys::Fd socket;
    std::string leftover;
    std::string content_type;
  };
  virtual Result<Upgraded> hijack(const std::string& method, const std::string& path, const CallOptions& options = {}) = 0;
};
/// "unix:///path" or "tcp://host:port".
Result<std::unique_ptr<Client>> open_client(const std::string& host);

/// The "message" of an error answer, or a text made from the status.
std::string error_message(const Response& response);

}  // namespace sampan::client
