#pragma once
// http: an HTTP/1.1 server on unix and TCP sockets, with streams in both directions and hijacking. Beast stays inside.
//
// A handler is one coroutine per request; it owns the Exchange until it returns:
//
//   async::Task<void> ping(http::Exchange& exchange) {
//     co_await exchange.respond({200, {{"Content-Type", "text/plain"}}, "OK"});
//   }
//
// Limits: 64 KiB of headers, 10 s to send them, bodies only as long as the handler asks for and no more than 64 MiB of
// them in memory at a time, connections by the number of descriptors, 256 TLS handshakes at a time. A request with both
// Content-Length and Transfer-Encoding, or any other smuggling form, is refused with 400 and the connection closed.
// A handler that throws, or returns without an answer, costs its client a 500 and nobody else anything.
//
// The loop is run by one thread. A connection is read only while somebody asks: an unread body stays with the client.
// While a handler works without reading, the client's end is watched: when it closes, cancel() is set and the
// on_closed() callbacks run. A half-closed connection counts as closed, except after a hijack.

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
#include "http/message.h"
#include "http/tls.h"
#include "sys/fd.h"

namespace sampan::http {

/// What is left of a connection after a hijack.
struct Hijacked {
  sys::Fd socket;        // blocking mode
  std::string leftover;  // bytes of the client that came behind the request
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  /// The whole body. Errors: ResourceExhausted past the limit; InvalidArgument (bad chunking); Cancelled (client gone).
  virtual async::Task<Result<std::string>> read_body(size_t limit) = 0;
  /// One complete answer with Content-Length.
  virtual async::Task<Result<void>> respond(Response response) = 0;
  /// Starts a chunked answer: status and headers are flushed at once.
  virtual async::Task<Result<void>> start_stream(Response head) = 0;
  /// One chunk, flushed. Errors: Cancelled when the client has gone.
  virtual async::Task<Result<void>> write_chunk(std::string_view bytes) = 0;
  /// Without it the client sees a broken stream when the handler returns: that is how a failed export looks.
  virtual async::Task<Result<void>> finish_stream() = 0;
  virtual bool stream_started() const = 0;
  /// Completes when the peer closes its side; for streams that may be idle for hours.
  virtual async::Task<void> wait_closed() = 0;
  /// Runs `callback` on the loop when the client has gone (at once when it has already), at most once, and only while
  /// the exchange lives.
  virtual void on_closed(std::function<void()> callback) = 0;
  /// Set when the client has gone.
  virtual const Cancel& cancel() const = 0;
  /// Ends the connection, whoever waits on it: as if the client had gone.
  virtual void cut_off() = 0;

  /// For pool threads only: the body, and the chunked answer, as blocking streams (they hop to the loop and back).
  /// They must not outlive the exchange.
  virtual std::unique_ptr<ByteSource> body_source() = 0;
  virtual std::unique_ptr<ByteSink> chunk_sink() = 0;
  /// start_stream() for pool threads.
  virtual Result<void> start_stream_blocking(Response head) = 0;

  /// Writes `head` as it is ("HTTP/1.1 101 UPGRADED\r\n...\r\n\r\n") and takes the connection away.
  virtual async::Task<Result<Hijacked>> hijack(std::string head) = 0;
};

using Handler = std::function<async::Task<void>(Exchange&)>;

class Server {
 public:
  virtual ~Server() = default;
  /// Listens on a unix socket (mode 0660; a stale one is replaced, a live one is Conflict) and serves until stop().
  virtual Result<void> listen_unix(const std::string& path) = 0;
  /// Listens on a TCP address (a name or a number; port 0 picks one) and speaks TLS there. The port it is.
  /// Errors: NotFound (no such address), errno of bind.
  virtual Result<uint16_t> listen_tcp(const std::string& address, uint16_t port, std::shared_ptr<TlsIdentity> tls) = 0;
  /// Takes a listening socket of any stream family (socket activation), with TLS when an identity is given.
  virtual Result<void> listen_fd(sys::Fd socket, std::shared_ptr<TlsIdentity> tls = nullptr) = 0;
  /// Stops accepting; open exchanges are cancelled, their sockets closed. Threads: any.
  virtual void stop() = 0;
};
/// The server must live as long as the loop runs.
std::unique_ptr<Server> make_server(async::asio::io_context& loop, Handler handler);

}  // namespace sampan::http
