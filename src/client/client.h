#pragma once
// client: the Engine API from the outside: HTTP/1.1 over a unix or TCP socket, blocking, for the command line.
//
// One request is one connection: connecting to a local socket costs less than the bookkeeping of reuse, and nothing
// that a stream leaves behind can reach the next request. Three shapes of a request:
//
//   call()    the whole answer at once: create, start, inspect
//   stream()  a body that arrives piece by piece: pull, logs, events, export
//   begin()   the head now, the body later: wait answers its head when it is armed and its body at the exit
//   hijack()  the connection itself: attach, exec
//
// Path versions: with ClientOptions::api_version set, every path gets "/v<version>" in front. A daemon that knows only
// older versions says so in its refusal; the client then asks again with the newest one it named, so that the usual
// case costs no round trip for negotiation.
//
// Threads: a Client may be used by several threads at once, an Exchange by one.

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
  ByteSource* body_source = nullptr;  // sent chunked when set
};

/// An answer whose head has arrived; read() yields its body, decoded. While a request body is still being sent (a
/// streamed upload), read() goes on sending it: answers may come before the upload is over.
class Exchange : public ByteSource {
 public:
  virtual const Response& head() const = 0;
};

class Client {
 public:
  virtual ~Client() = default;
  /// The whole answer, whatever its status. Errors: Unavailable "Cannot connect to the Sampan daemon at ...".
  virtual Result<Response> call(const std::string& method, const std::string& path,
                                const CallOptions& options = {}) = 0;
  /// As call(), but a 2xx body is handed over piece by piece as it arrives; other bodies are collected.
  virtual Result<Response> stream(const std::string& method, const std::string& path, const CallOptions& options,
                                  const std::function<Result<void>(std::string_view)>& chunk) = 0;
  /// Returns when the answer's head is there.
  virtual Result<std::unique_ptr<Exchange>> begin(const std::string& method, const std::string& path,
                                                  const CallOptions& options = {}) = 0;
  /// Sends an upgrade request and returns the raw connection, with the bytes that came behind the head. A refusal is an
  /// error with the code of its status and the message "Error response from daemon: ...".
  struct Upgraded {
    sys::Fd socket;
    std::string leftover;
    std::string content_type;
  };
  virtual Result<Upgraded> hijack(const std::string& method, const std::string& path,
                                  const CallOptions& options = {}) = 0;
};
struct ClientOptions {
  std::string api_version;  // "1.51": put in front of every path; empty: paths are sent as they are
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every request
};
/// "unix:///path" or "tcp://host:port". Connects only when a request is made.
Result<std::unique_ptr<Client>> open_client(const std::string& host, const ClientOptions& options = {});
/// A bare connection to the daemon. Errors: Unavailable "Cannot connect to the Sampan daemon at ...".
Result<sys::Fd> connect_socket(const std::string& host);

/// The "message" of an error answer, or a text made from the status.
std::string error_message(const Response& response);
/// The error that an answer of status 400 and above stands for: "Error response from daemon: ...".
Error response_error(const Response& response);

}  // namespace sampan::client
