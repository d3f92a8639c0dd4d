#pragma once
// http/internal/exchange: one request and its answer on a Connection.

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "http/http.h"
#include "http/internal/connection.h"

namespace sampan::http::internal {

/// How a request's head came in.
enum class Head { Complete, Closed, Refused };

class ConnectionExchange final : public Exchange {
 public:
  explicit ConnectionExchange(std::shared_ptr<Connection> connection);
  ~ConnectionExchange() override;

  /// Refused: answered already (4xx); close the connection.
  async::Task<Head> read_head();
  /// After the handler: true when the connection can carry a further request.
  async::Task<bool> end();
  bool answered() const { return answer_ != Answer::None; }
  bool hijacked() const { return answer_ == Answer::Hijacked; }

  const Request& request() const override { return request_; }
  async::Task<Result<std::string>> read_body(size_t limit) override;
  async::Task<Result<void>> respond(Response response) override;
  async::Task<Result<void>> start_stream(Response head) override;
  async::Task<Result<void>> write_chunk(std::string_view bytes) override;
  async::Task<Result<void>> finish_stream() override;
  bool stream_started() const override { return answer_ == Answer::Streaming || answer_ == Answer::Streamed; }
  async::Task<void> wait_closed() override;
  void on_closed(std::function<void()> callback) override;
  const Cancel& cancel() const override { return connection_->cancel(); }
  void cut_off() override { connection_->cut_off(); }
  std::unique_ptr<ByteSource> body_source() override;
  std::unique_ptr<ByteSink> chunk_sink() override;
  Result<void> start_stream_blocking(Response head) override;
  async::Task<Result<Hijacked>> hijack(std::string head) override;

  /// Up to buffer.size() bytes of the body; 0 is its end.
  async::Task<Result<size_t>> read_some(std::span<char> buffer);

 private:
  enum class Answer { None, Complete, Streaming, Streamed, Hijacked };

  async::Task<void> refuse(int status, std::string message);
  std::optional<std::string> find_framing_fault() const;
  Result<void> take_head();
  void add_connection_headers(Fields& headers) const;
  async::Task<bool> drain_body();
  Result<void> hold(size_t body);
  bool body_done() const { return parser_->is_done(); }

  std::shared_ptr<Connection> connection_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::buffer_body>> parser_;
  Request request_;
  Answer answer_ = Answer::None;
  size_t held_ = 0;  // bytes of the body that count against the budget of all
  bool keep_alive_ = false, expect_continue_ = false, body_broken_ = false, http10_ = false;
};

}  // namespace sampan::http::internal
