// The reading half of an exchange: head, limits, smuggling checks, body.
#include "http/internal/exchange.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/beast/http/read.hpp>

#include <array>
#include <chrono>
#include <future>

#include "base/strings.h"

namespace sampan::http::internal {

namespace asio = async::asio;
namespace beast = boost::beast;

namespace {

constexpr size_t kHeaderLimit = 64 << 10;
constexpr std::chrono::seconds kHeaderTime(10);
constexpr size_t kDrainLimit = 256 << 10;  // an unread body up to here is read away so that the connection lives on
constexpr size_t kBulkRead = 64 << 10;     // what one read of a large body takes from the socket
// A whole body that stops coming is given up. Small ones are free; of the large ones only so much is held at a time,
// whoever sends them: a crowd that announces megabytes each does not fill the host's memory.
constexpr std::chrono::seconds kBodyStall(30);
constexpr size_t kFreeBody = 64 << 10, kBodyBudget = 64 << 20;
size_t held_bodies = 0;  // the loop's thread only

/// Cancels the socket's waits unless it is dropped in time.
class ReadDeadline {
 public:
  ReadDeadline(const std::shared_ptr<Connection>& connection, std::chrono::steady_clock::duration time)
      : timer_(connection->socket().get_executor(), time), late_(std::make_shared<bool>(false)) {
    timer_.async_wait([weak = std::weak_ptr(connection), late = late_](boost::system::error_code error) {
      auto self = weak.lock();
      if (error || !self || !self->socket().is_open()) return;
      *late = true;
      boost::system::error_code ignored;
      self->socket().cancel(ignored);
    });
  }
  bool late() const { return *late_; }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> late_;
};

}  // namespace

ConnectionExchange::ConnectionExchange(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {
  parser_.emplace();
  parser_->header_limit(kHeaderLimit);
  parser_->body_limit(boost::none);
}

ConnectionExchange::~ConnectionExchange() {
  held_bodies -= held_;
  connection_->unwatch();
  connection_->on_gone(nullptr);
}

async::Task<Head> ConnectionExchange::read_head() {
  auto& socket = connection_->socket();
  auto& input = connection_->input();
  auto token = asio::as_tuple(asio::use_awaitable);
  if (input.size() == 0) {  // an idle connection may stay for ever, and holds no buffer
    connection_->shrink_input();
    auto [error] = co_await socket.async_wait(asio::socket_base::wait_read, token);
    if (error) co_return Head::Closed;
  }
  boost::system::error_code error;
  bool late = false;
  {
    ReadDeadline deadline(connection_, kHeaderTime);
    std::tie(error, std::ignore) = co_await beast::http::async_read_header(socket, input, *parser_, token);
    late = deadline.late();
  }
  if (late) {
    co_await refuse(408, "the request's head did not arrive in time");
    co_return Head::Refused;
  }
  if (error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow) {
    co_await refuse(431, "request header fields too large");
    co_return Head::Refused;
  }
  if (error && error.category() == beast::http::make_error_code(beast::http::error::bad_value).category() &&
      error != beast::http::error::end_of_stream && error != beast::http::error::partial_message) {
    co_await refuse(400, "malformed request: " + error.message());
    co_return Head::Refused;
  }
  if (error) co_return Head::Closed;
  if (auto fault = find_framing_fault()) {
    co_await refuse(400, "malformed request: " + *fault);
    co_return Head::Refused;
  }
  if (auto taken = take_head(); !taken) {
    co_await refuse(400, "malformed request: " + taken.error().message());
    co_return Head::Refused;
  }
  if (body_done()) connection_->watch();
  co_return Head::Complete;
}

// Two parties that disagree about where a body ends let one client speak in another's name; anything that is not one
// plain statement of the length is refused. RFC 9112 section 6.3.
std::optional<std::string> ConnectionExchange::find_framing_fault() const {
  const auto& message = parser_->get();
  size_t lengths = message.count(beast::http::field::content_length);
  size_t encodings = message.count(beast::http::field::transfer_encoding);
  if (lengths > 1) return "more than one Content-Length";
  if (lengths == 1 && encodings > 0) return "both Content-Length and Transfer-Encoding";
  if (lengths == 1 && !parse_uint(std::string_view(message[beast::http::field::content_length]))) {
    return "bad Content-Length";
  }
  if (encodings > 1) return "more than one Transfer-Encoding";
  if (encodings == 1) {
    if (to_lower(std::string_view(message[beast::http::field::transfer_encoding])) != "chunked") {
      return "unsupported Transfer-Encoding";
    }
    if (message.version() < 11) return "Transfer-Encoding in an HTTP/1.0 request";
  }
  if (message.count(beast::http::field::host) > 1) return "more than one Host";
  if (message.version() != 11 && message.version() != 10) return "unsupported HTTP version";
  return std::nullopt;
}

Result<void> ConnectionExchange::take_head() {
  const auto& message = parser_->get();
  request_.method = std::string(message.method_string());
  TRY(parse_target(std::string_view(message.target()), request_));
  for (const auto& field : message) {
    request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  if (auto length = parser_->content_length()) request_.content_length = static_cast<int64_t>(*length);
  request_.has_body = parser_->chunked() || request_.content_length > 0;
  request_.peer_uid = connection_->peer_uid();
  request_.peer_pid = connection_->peer_pid();
  keep_alive_ = message.keep_alive();
  http10_ = message.version() == 10;
  expect_continue_ = request_.has_body && to_lower(request_.header("Expect")) == "100-continue";
  return {};
}

async::Task<void> ConnectionExchange::refuse(int status, std::string message) {
  std::string body = "{\"message\":\"" + message + "\"}\n";
  Fields headers = {
      {"Content-Type", "application/json"}, {"Content-Length", std::to_string(body.size())}, {"Connection", "close"}};
  std::string head = format_head(status, headers);
  std::array<std::string_view, 2> pieces = {head, body};
  (void)co_await connection_->write(pieces);  // it may have gone; the connection ends anyway
  // Bytes that nobody read would make the kernel reset the connection before the answer is seen.
  auto& socket = connection_->socket();
  boost::system::error_code ignored;
  socket.shutdown(asio::socket_base::shutdown_send, ignored);
  ReadDeadline deadline(connection_, std::chrono::seconds(1));
  std::array<char, 4096> scratch;
  for (size_t total = 0; total < kDrainLimit;) {
    auto [error, got] = co_await socket.async_read_some(asio::buffer(scratch), asio::as_tuple(asio::use_awaitable));
    if (error) break;
    total += got;
  }
}

async::Task<Result<size_t>> ConnectionExchange::read_some(std::span<char> buffer) {
  if (body_done()) co_return size_t{0};
  if (body_broken_) co_return fail(Code::Cancelled, "the request's body has ended early");
  if (std::exchange(expect_continue_, false)) {
    std::array<std::string_view, 1> pieces = {"HTTP/1.1 100 Continue\r\n\r\n"};
    CO_TRY(co_await connection_->write(pieces));
  }
  auto& body = parser_->get().body();
  body.data = buffer.data();
  body.size = buffer.size();
  body.more = true;
  while (body.size == buffer.size() && !body_done()) {
    auto [error, parsed] = co_await beast::http::async_read_some(connection_->socket(), connection_->input(), *parser_,
                                                                 asio::as_tuple(asio::use_awaitable));
    if (!error || error == beast::http::error::need_buffer) continue;
    body_broken_ = true;
    bool bad = error == beast::http::error::bad_chunk || error == beast::http::error::bad_chunk_extension ||
               error == beast::http::error::bad_field || error == beast::http::error::bad_value;
    if (bad) co_return fail(Code::InvalidArgument, "malformed request body: {}", error.message());
    connection_->mark_gone();
    co_return fail(Code::Cancelled, "the client has gone");
  }
  size_t got = buffer.size() - body.size;
  body.data = nullptr;
  body.size = 0;
  if (body_done()) connection_->watch();
  co_return got;
}

async::Task<Result<std::string>> ConnectionExchange::read_body(size_t limit) {
  if (request_.content_length > 0 && static_cast<uint64_t>(request_.content_length) > limit) {
    co_return fail(Code::ResourceExhausted, "request body too large");
  }
  std::string out;
  std::string piece(std::min<size_t>(16 << 10, request_.content_length >= 0 ? request_.content_length + 1 : 16 << 10),
                    '\0');
  for (;;) {
    ReadDeadline deadline(connection_, kBodyStall);
    auto read = co_await read_some(piece);
    if (deadline.late()) co_return fail(Code::InvalidArgument, "the request's body did not arrive in time");
    size_t got = CO_TRY(std::move(read));
    if (got == 0) break;
    if (out.size() + got > limit) co_return fail(Code::ResourceExhausted, "request body too large");
    out.append(piece.data(), got);
    CO_TRY(hold(out.size()));
  }
  co_return out;
}

Result<void> ConnectionExchange::hold(size_t body) {
  size_t counted = body > kFreeBody ? body : 0;
  if (counted > held_ && held_bodies + (counted - held_) > kBodyBudget) {
    body_broken_ = true;  // the rest is not worth reading
    return fail(Code::Unavailable, "too many large request bodies at a time");
  }
  held_bodies += counted - std::min(held_, counted);
  held_ = std::max(held_, counted);
  return {};
}

async::Task<bool> ConnectionExchange::drain_body() {
  if (body_done()) co_return true;
  // A client that waits for "100 Continue" has sent nothing and will send nothing.
  if (body_broken_ || expect_continue_) co_return false;
  std::string scratch(16 << 10, '\0');
  ReadDeadline deadline(connection_, std::chrono::seconds(1));
  for (size_t total = 0; total < kDrainLimit;) {
    auto got = co_await read_some(scratch);
    if (!got) co_return false;
    if (*got == 0) co_return true;
    total += *got;
  }
  co_return false;
}

async::Task<bool> ConnectionExchange::end() {
  if (hijacked()) co_return false;
  bool whole = answer_ == Answer::Complete || answer_ == Answer::Streamed;
  if (!whole || !keep_alive_ || connection_->cancel().cancelled()) co_return false;
  bool drained = co_await drain_body();
  connection_->unwatch();
  co_return drained && !connection_->cancel().cancelled();
}

namespace {

/// Runs a coroutine on the loop and waits for it on this (pool) thread.
template <typename T, typename Make>
Result<T> run_on_loop(Connection& connection, Make make) {
  std::promise<Result<T>> promise;
  auto future = promise.get_future();
  asio::co_spawn(
      connection.socket().get_executor(),
      [&promise, &make]() -> async::Task<void> { promise.set_value(co_await make()); },
      [&promise](std::exception_ptr thrown) {
        if (thrown) promise.set_value(fail(Code::Internal, "the stream's loop failed"));
      });
  return future.get();
}

class BodySource final : public ByteSource {
 public:
  BodySource(ConnectionExchange& exchange, std::shared_ptr<Connection> connection)
      : exchange_(exchange), connection_(std::move(connection)) {}
  Result<size_t> read(std::span<char> buffer) override {
    return run_on_loop<size_t>(*connection_, [this, buffer]() -> async::Task<Result<size_t>> {
      // A body that streams deserves reads larger than the parser's own 512 bytes.
      connection_->input().reserve(kBulkRead);
      co_return co_await exchange_.read_some(buffer);
    });
  }

 private:
  ConnectionExchange& exchange_;
  std::shared_ptr<Connection> connection_;
};

class ChunkSink final : public ByteSink {
 public:
  ChunkSink(ConnectionExchange& exchange, std::shared_ptr<Connection> connection)
      : exchange_(exchange), connection_(std::move(connection)) {}
  Result<void> write(std::string_view bytes) override {
    return run_on_loop<void>(*connection_, [this, bytes]() -> async::Task<Result<void>> {
      co_return co_await exchange_.write_chunk(bytes);
    });
  }

 private:
  ConnectionExchange& exchange_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace

std::unique_ptr<ByteSource> ConnectionExchange::body_source() {
  return std::make_unique<BodySource>(*this, connection_);
}

std::unique_ptr<ByteSink> ConnectionExchange::chunk_sink() {
  return std::make_unique<ChunkSink>(*this, connection_);
}

Result<void> ConnectionExchange::start_stream_blocking(Response head) {
  return run_on_loop<void>(
      *connection_, [this, &head]() -> async::Task<Result<void>> { co_return co_await start_stream(std::move(head)); });
}

}  // namespace sampan::http::internal
