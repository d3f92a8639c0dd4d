#pragma once
// http: an HTTP/1.1 server on unix and TCP sockets, with streams in both directions and hijacking. Beast stays inside.
//
// A handler is one coroutine per request; it owns the Exchange until it returns:
//
//   async::Task<void> ping(http::Exchange& exchange) {
//     co_await exchange.respond({200, {{"Content-Type", "text/plain"}}, "OK"});
//   }
//
// Limits: 64 KiB of headers, 10 s to send them, bodies only as long as the handler asks for. A request with both
// Content-Length and Transfer-Encoding, or any other smuggling form, is refused with 400 and the connection closed.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/async.h"
#include "base/cancel.h"
#include "base/io.h"
#include "base/result.h"
#include "sys/fd.h"

namespace sampan::http {

struct Request {
  std::string method;      // "GET"
  std::string target;      // as sent
  std::string path;        // decoded
  std::vector<std::pair<std::string, std::string>> query;   // decoded, in order
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t content_length = -1;
  bool has_body = false;
  uint32_t peer_uid = 0, peer_pid = 0;   // unix sockets

  std::string header(std::string_view name) const;            // case-insensitive, "" when missing
  std::optional<std::string> find(std::string_view key) const;  // first query value
  std::string get(std::string_view key, std::string_view fallback = "") const;
  std::vector<std::string> all(std::string_view key) const;
  /// Docker's booleans: "", "0", "no", "false", "none" are false, anything else true; missing is the fallback.
  bool flag(std::string_view key, bool fallback = false) const;
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// What is left of a connection after a hijack.
struct Hijacked {
  sys::Fd socket;          // blocking mode
  std::string leftover;    // bytes of the client that came behind the request
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  /// The whole body. Errors: ResourceExhausted past the limit; Cancelled (client gone).
  virtual async::Task<Result<std::string>> read_body(size_t limit) = 0;
  /// One complete answer with Content-Length.
  virtual async::Task<Result<void>> respond(Response response) = 0;
  /// Starts a chunked answer: status and headers are flushed at once.
  virtual async::Task<Result<void>> start_stream(Response head) = 0;
  /// One chunk, flushed. Errors: Cancelled when the client has gone.
  virtual async::Task<Result<void>> write_chunk(std::string_view bytes) = 0;
  virtual async::Task<Result<void>> finish_stream() = 0;
  virtual bool stream_started() const = 0;
  /// Completes when the peer closes its side; for streams that may be idle for hours.
  virtual async::Task<void> wait_closed() = 0;
  /// Set when the client has gone.
  virtual const Cancel& cancel() const = 0;

  /// For pool threads only: the body, and the chunked answer, as blocking streams (they hop to the loop and back).
  virtual std::unique_ptr<ByteSource> body_source() = 0;
  virtual std::unique_ptr<ByteSink> chunk_sink() = 0;

  /// Writes `head` as it is ("HTTP/1.1 101 UPGRADED\r\n...\r\n\r\n") and takes the connection away.
  virtual async::Task<Result<Hijacked>> hijack(std::string head) = 0;
};

using Handler = std::function<async::Task<void>(Exchange&)>;

class Server {
 public:
  virtual ~Server() = default;
  /// Listens on a unix socket (mode 0660; a stale one is replaced, a live one is Conflict) and serves until stop().
  virtual Result<void> listen_unix(const std::string& path) = 0;
  virtual Result<void> listen_fd(sys::Fd socket) = 0;
  /// Stops accepting; open exchanges are cancelled.
  virtual void stop() = 0;
};
std::unique_ptr<Server> make_server(async::asio::io_context& loop, Handler handler);

}  // namespace sampan::http
