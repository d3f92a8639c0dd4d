// The writing half of an exchange: answers, streams, hijacking.
#include <fcntl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <ctime>

#include "base/strings.h"
#include "http/internal/exchange.h"
#include "sys/error.h"

namespace sampan::http::internal {

namespace asio = async::asio;

namespace {

std::string format_http_date() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char out[64];
  size_t size = std::strftime(out, sizeof(out), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(out, size);
}

bool has_no_body(int status) {
  return status == 204 || status == 304 || status < 200;
}

}  // namespace

void ConnectionExchange::add_connection_headers(Fields& headers) const {
  headers.emplace_back("Date", format_http_date());
  if (!keep_alive_) {
    headers.emplace_back("Connection", "close");
  } else if (http10_) {
    headers.emplace_back("Connection", "keep-alive");
  }
}

async::Task<Result<void>> ConnectionExchange::respond(Response response) {
  if (answered()) co_return fail(Code::Internal, "the request is answered already");
  answer_ = Answer::Complete;
  // A client that still waits for "100 Continue" must not take this answer's connection for a further request.
  if (body_broken_ || expect_continue_) keep_alive_ = false;
  if (!has_no_body(response.status)) {
    response.headers.emplace_back("Content-Length", std::to_string(response.body.size()));
  }
  add_connection_headers(response.headers);
  std::string head = format_head(response.status, response.headers);
  bool body = request_.method != "HEAD" && !has_no_body(response.status);
  std::array<std::string_view, 2> pieces = {head, body ? std::string_view(response.body) : std::string_view()};
  co_return co_await connection_->write(pieces);
}

async::Task<Result<void>> ConnectionExchange::start_stream(Response response) {
  if (answered()) co_return fail(Code::Internal, "the request is answered already");
  answer_ = Answer::Streaming;
  if (expect_continue_ || http10_) keep_alive_ = false;
  if (!http10_) response.headers.emplace_back("Transfer-Encoding", "chunked");
  add_connection_headers(response.headers);
  std::string head = format_head(response.status, response.headers);
  std::array<std::string_view, 1> pieces = {head};
  CO_TRY(co_await connection_->write(pieces));
  if (!response.body.empty()) CO_TRY(co_await write_chunk(response.body));
  co_return Result<void>();
}

async::Task<Result<void>> ConnectionExchange::write_chunk(std::string_view bytes) {
  if (answer_ != Answer::Streaming) co_return fail(Code::Internal, "no stream is open");
  if (bytes.empty() || request_.method == "HEAD") co_return Result<void>();  // an empty chunk would end the stream
  if (http10_) {
    std::array<std::string_view, 1> pieces = {bytes};
    co_return co_await connection_->write(pieces);
  }
  std::string size = fmt::format("{:x}\r\n", bytes.size());
  std::array<std::string_view, 3> pieces = {size, bytes, "\r\n"};
  co_return co_await connection_->write(pieces);
}

async::Task<Result<void>> ConnectionExchange::finish_stream() {
  if (answer_ != Answer::Streaming) co_return fail(Code::Internal, "no stream is open");
  answer_ = Answer::Streamed;
  if (http10_ || request_.method == "HEAD") co_return Result<void>();
  std::array<std::string_view, 1> pieces = {"0\r\n\r\n"};
  co_return co_await connection_->write(pieces);
}

void ConnectionExchange::on_closed(std::function<void()> callback) {
  if (connection_->cancel().cancelled()) {
    callback();
  } else {
    connection_->on_gone(std::move(callback));
  }
}

async::Task<void> ConnectionExchange::wait_closed() {
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor,
                                                    std::chrono::steady_clock::time_point::max());
  if (connection_->cancel().cancelled()) co_return;
  connection_->on_gone([timer] { timer->cancel(); });
  (void)co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
}

async::Task<Result<Hijacked>> ConnectionExchange::hijack(std::string head) {
  if (answered()) co_return fail(Code::Internal, "the request is answered already");
  if (!body_done()) co_return fail(Code::Internal, "the body is not read yet");
  connection_->unwatch();
  connection_->on_gone(nullptr);
  answer_ = Answer::Hijacked;
  std::array<std::string_view, 1> pieces = {head};
  CO_TRY(co_await connection_->write(pieces));
  Hijacked out;
  auto& input = connection_->input();
  out.leftover.assign(static_cast<const char*>(input.data().data()), input.size());
  input.consume(input.size());
  boost::system::error_code error;
  out.socket = sys::Fd(connection_->socket().release(error));
  if (error) co_return fail(Code::Internal, "release connection: {}", error.message());
  int flags = ::fcntl(out.socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(out.socket.get(), F_SETFL, flags & ~O_NONBLOCK) < 0) co_return sys::sys_error("fcntl");
  co_return std::move(out);
}

}  // namespace sampan::http::internal
