// Attach over a WebSocket: the shim serves one end of a socket pair as it serves any client, and a relay on the loop
// puts what it says into frames. Unlike a plain attachment it ends with the daemon, since the frames are made here.
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>

#include "api/internal/attach.h"
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "api/internal/streams.h"
#include "api/internal/websocket.h"
#include "async/signal.h"
#include "base/strings.h"
#include "codec/text.h"
#include "container/lifecycle.h"
#include "sys/error.h"

namespace sampan::api {
namespace {

namespace asio = async::asio;
constexpr size_t kPiece = 16 << 10;
constexpr uint16_t kNormal = 1000, kProtocolError = 1002;

/// Both directions of one relay. One thread runs it, so what the two coroutines share needs no lock.
class Relay : public std::enable_shared_from_this<Relay> {
 public:
  Relay(asio::any_io_executor loop, sys::Fd client, sys::Fd stream, Opcode messages)
      : client_(loop, client.release()), stream_(loop, stream.release()), free_(loop), messages_(messages) {}

  /// Client to stream.
  async::Task<void> read_client(std::string bytes) {
    auto self = shared_from_this();
    WebSocketParser parser;
    while (!ended_) {
      WebSocketParser::Input input;
      auto parsed = parser.feed(bytes, input);
      if (!input.data.empty() && !co_await write_all(stream_, input.data)) break;
      if (!parsed || input.closed) {
        std::string reason = parsed ? input.control.substr(0, 2) : format_websocket_close(kProtocolError);
        co_await send(format_websocket_frame(Opcode::Close, reason));
        break;
      }
      if (input.pinged) co_await send(format_websocket_frame(Opcode::Pong, input.control));
      bytes.resize(kPiece);
      auto [error, size] = co_await client_.async_read_some(asio::buffer(bytes), kTuple);
      if (error) break;
      bytes.resize(size);
    }
    end();
  }

  /// Stream to client.
  async::Task<void> read_stream() {
    auto self = shared_from_this();
    std::string bytes;
    while (!ended_) {
      bytes.resize(kPiece);
      auto [error, size] = co_await stream_.async_read_some(asio::buffer(bytes), kTuple);
      if (error) {
        co_await send(format_websocket_frame(Opcode::Close, format_websocket_close(kNormal)));
        break;
      }
      if (!co_await send(format_websocket_frame(messages_, std::string_view(bytes).substr(0, size)))) break;
    }
    end();
  }

 private:
  static constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

  static async::Task<bool> write_all(asio::posix::stream_descriptor& out, std::string bytes) {
    auto [error, size] = co_await asio::async_write(out, asio::buffer(bytes), kTuple);
    co_return !error;
  }

  /// One frame after the other: the two directions take turns.
  async::Task<bool> send(std::string frame) {
    while (sending_ && !ended_) co_await free_.wait();
    if (ended_) co_return false;
    sending_ = true;
    bool sent = co_await write_all(client_, std::move(frame));
    sending_ = false;
    free_.set();
    co_return sent;
  }

  void end() {
    ended_ = true;
    boost::system::error_code ignored;
    client_.close(ignored);
    stream_.close(ignored);
    free_.set();
  }

  asio::posix::stream_descriptor client_, stream_;
  async::Signal free_;
  Opcode messages_;
  bool sending_ = false, ended_ = false;
};

bool has_word(const std::string& list, std::string_view word) {
  for (const auto& piece : split(list, ',')) {
    if (to_lower(trim(piece)) == word) return true;
  }
  return false;
}

Result<std::string> handshake(const Call& call) {
  const auto& request = call.request;
  bool upgrade = has_word(request.header("Upgrade"), "websocket") && has_word(request.header("Connection"), "upgrade");
  if (!upgrade) return fail(Code::InvalidArgument, "not websocket protocol");
  if (request.header("Sec-WebSocket-Version") != "13") {
    return fail(Code::InvalidArgument, "missing or bad WebSocket Version: it must be 13");
  }
  std::string key = request.header("Sec-WebSocket-Key");
  auto decoded = codec::parse_base64(key);
  if (!decoded || decoded->size() != 16) return fail(Code::InvalidArgument, "missing or bad Sec-WebSocket-Key");
  return fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
      "{}\r\n\r\n",
      websocket_accept(key));
}

Result<std::pair<sys::Fd, sys::Fd>> make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return sys::sys_error("socketpair");
  return std::pair(sys::Fd(ends[0]), sys::Fd(ends[1]));
}

}  // namespace

async::Task<void> relay_websocket(sys::Fd client, std::string leftover, sys::Fd stream, Opcode messages) {
  auto loop = co_await asio::this_coro::executor;
  auto relay = std::make_shared<Relay>(loop, std::move(client), std::move(stream), messages);
  asio::co_spawn(loop, relay->read_stream(), [relay](const std::exception_ptr&) {});
  co_await relay->read_client(std::move(leftover));
}

async::Task<Result<void>> stream_attach_websocket(Call& call, StreamContext context) {
  auto record = CO_TRY(call.engine().get_container(call.name));
  AttachPlan plan = CO_TRY(plan_attach(call, *record));
  plan.options.multiplexed = false;
  std::string head = CO_TRY(handshake(call));
  auto [ours, theirs] = CO_TRY(make_pair());
  auto taken = CO_TRY(co_await context.exchange.hijack(head));
  // Binary frames came with 1.28.
  auto messages = call.version < Version{1, 28} ? Opcode::Text : Opcode::Binary;
  auto loop = co_await asio::this_coro::executor;
  asio::co_spawn(loop, relay_websocket(std::move(taken.socket), std::move(taken.leftover), std::move(ours), messages),
                 [](const std::exception_ptr&) {});
  auto& engine = call.engine();
  co_await async::blocking(context.writes, [&engine, &plan, stream = std::move(theirs)]() mutable {
    serve_attach(engine, plan, std::move(stream));
  });
  co_return Result<void>();
}

}  // namespace sampan::api
