// From an exchange to its handler and back: version, body, pools, errors, the headers of every answer.
#include <spdlog/spdlog.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include "api/api.h"
#include "api/internal/json_answer.h"
#include "api/internal/progress.h"
#include "api/internal/route.h"
#include "api/internal/transfers.h"
#include "base/strings.h"

namespace sampan::api {
namespace {

constexpr size_t kBodyLimit =
    4 << 20;  // the largest honest one is a few kilobytes; as a tree it takes ten times its size
// Reads are short; writes may each wait for a container (stop: ten seconds and more); transfers run for minutes.
constexpr size_t kReadThreads = 4, kWriteThreads = 256, kTransferThreads = 64;
// How long a client may stand still while others wait for its transfer's thread.
constexpr std::chrono::minutes kTransferStall(5);
constexpr std::chrono::seconds kTransferLook(1);

void add_default_headers(http::Fields& headers, bool experimental) {
  headers.emplace_back("Server", "Sampan/" SAMPAN_VERSION " (linux)");
  headers.emplace_back("Api-Version", format_version(kMaxVersion));
  headers.emplace_back("Ostype", "linux");
  headers.emplace_back("Docker-Experimental", experimental ? "true" : "false");
}

std::string media_type(const http::Request& request) {
  std::string value = request.header("Content-Type");
  return to_lower(trim(std::string_view(value).substr(0, value.find(';'))));
}

Result<void> check_content_type(const Call& call) {
  std::string type = media_type(call.request);
  if (type == "application/json" || !call.request.has_body) return {};
  return fail(Code::InvalidArgument, "unsupported Content-Type header ({}): must be 'application/json'",
              call.request.header("Content-Type"));
}

/// Adds the default headers to whatever a handler answers; they are part of hijacked heads, too.
class DecoratedExchange final : public http::Exchange {
 public:
  DecoratedExchange(http::Exchange& inner, bool experimental) : inner_(inner), experimental_(experimental) {}
  const http::Request& request() const override { return inner_.request(); }
  async::Task<Result<std::string>> read_body(size_t limit) override { return inner_.read_body(limit); }
  async::Task<Result<void>> respond(http::Response response) override {
    status_ = response.status;
    add_default_headers(response.headers, experimental_);
    return inner_.respond(std::move(response));
  }
  async::Task<Result<void>> start_stream(http::Response head) override {
    status_ = head.status;
    add_default_headers(head.headers, experimental_);
    return inner_.start_stream(std::move(head));
  }
  async::Task<Result<void>> write_chunk(std::string_view bytes) override { return inner_.write_chunk(bytes); }
  async::Task<Result<void>> finish_stream() override { return inner_.finish_stream(); }
  bool stream_started() const override { return inner_.stream_started(); }
  async::Task<void> wait_closed() override { return inner_.wait_closed(); }
  void on_closed(std::function<void()> callback) override { inner_.on_closed(std::move(callback)); }
  const Cancel& cancel() const override { return inner_.cancel(); }
  void cut_off() override { inner_.cut_off(); }
  std::unique_ptr<ByteSource> body_source() override { return inner_.body_source(); }
  std::unique_ptr<ByteSink> chunk_sink() override { return inner_.chunk_sink(); }
  Result<void> start_stream_blocking(http::Response head) override {
    status_ = head.status;
    add_default_headers(head.headers, experimental_);
    return inner_.start_stream_blocking(std::move(head));
  }
  async::Task<Result<http::Hijacked>> hijack(std::string head) override {
    status_ = 101;
    return inner_.hijack(std::move(head));
  }
  /// 0 until something was answered.
  int status() const { return status_; }

 private:
  http::Exchange& inner_;
  bool experimental_;
  int status_ = 0;
};

class ExchangeReply final : public Reply {
 public:
  ExchangeReply(http::Exchange& exchange, Transfers::Entry& entry)
      : exchange_(exchange), entry_(entry), sink_(exchange.chunk_sink()) {}
  void set_head(http::Response head) override { head_ = std::move(head); }
  Result<void> start() override {
    if (started_) return {};
    started_ = true;
    return exchange_.start_stream_blocking(head_);
  }
  bool started() const override { return started_; }
  void set_answer(http::Response answer) override { answer_ = std::move(answer); }
  const Cancel& cancel() const override { return exchange_.cancel(); }
  Result<void> write(std::string_view bytes) override {
    Transfers::Entry::Waiting waiting(entry_);
    TRY(start());
    return sink_->write(bytes);
  }

  bool is_json() const { return head_.headers.empty() || head_.headers.front().second == "application/json"; }
  http::Response& answer() { return answer_; }

 private:
  http::Exchange& exchange_;
  Transfers::Entry& entry_;
  std::unique_ptr<ByteSink> sink_;
  http::Response head_{200, {{"Content-Type", "application/json"}}, ""};
  http::Response answer_{200, {}, ""};
  bool started_ = false;
};

class EngineApi final : public Api {
 public:
  EngineApi(engine::Engine& engine, ApiOptions options)
      : services_{engine, std::make_shared<const ApiOptions>(std::move(options))} {}

  http::Handler handler() override {
    return [this](http::Exchange& exchange) { return dispatch(exchange); };
  }
  void drain() override {
    transfers_.join();
    writes_.join();
    reads_.join();
  }
  void reconfigure(ApiOptions options) override {
    services_.options = std::make_shared<const ApiOptions>(std::move(options));
  }

 private:
  async::Task<void> dispatch(http::Exchange& raw) {
    DecoratedExchange exchange(raw, services_.engine.options().experimental);
    auto began = std::chrono::steady_clock::now();
    std::string failure;
    try {
      auto done = co_await serve(exchange);
      if (!done) {
        failure = done.error().message();
        // Nothing was said yet: the error is the answer. Else the stream breaks off, which the client sees.
        if (exchange.status() == 0) (void)co_await exchange.respond(error_answer(done.error()));
      }
    } catch (const std::exception& bug) {
      failure = bug.what();
    }
    if (exchange.status() == 0) {
      (void)co_await exchange.respond(message_answer(500, "internal error: " + failure));
    }
    auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
    auto level = exchange.status() >= 500 && exchange.status() != 501 && exchange.status() != 503
                     ? spdlog::level::err
                     : spdlog::level::debug;
    spdlog::log(level, "{} {}: {} in {} us{}{}", raw.request().method, raw.request().path, exchange.status(),
                took.count(), failure.empty() ? "" : ": ", failure);
  }

  async::Task<Result<void>> serve(DecoratedExchange& exchange) {
    const http::Request& request = exchange.request();
    if (request.method == "OPTIONS") co_return co_await exchange.respond(empty_answer(200));
    auto match = CO_TRY(find_route(request.method, request.path));
    const Route& route = *match.route;
    Call call{request, match.version, std::move(match.name), {}, services_};
    if (route.body == Body::Json) CO_TRY(check_content_type(call));
    if (route.kind == Kind::Transfer)
      co_return co_await transfer(call, exchange, std::get<TransferHandler>(route.handler));
    CO_TRY(co_await read_body(call, exchange));
    if (route.kind == Kind::Stream) {
      co_return co_await std::get<StreamHandler>(route.handler)(call, {exchange, reads_, writes_});
    }
    auto handler = std::get<PlainHandler>(route.handler);
    if (route.kind == Kind::Inline) {
      auto answer = CO_TRY(handler(call));
      co_return co_await exchange.respond(std::move(answer));
    }
    auto& pool = route.kind == Kind::Read ? reads_ : writes_;
    auto result = co_await async::blocking(pool, [&call, handler] { return handler(call); });
    auto answer = CO_TRY(std::move(result));
    co_return co_await exchange.respond(std::move(answer));
  }

  static async::Task<Result<void>> read_body(Call& call, http::Exchange& exchange) {
    if (!call.request.has_body) co_return Result<void>();
    auto body = co_await exchange.read_body(kBodyLimit);
    if (!body && body.error().code() == Code::ResourceExhausted) {
      co_return fail(Code::InvalidArgument, "request body is larger than {} bytes", kBodyLimit);
    }
    call.body = CO_TRY(std::move(body));
    if (media_type(call.request) == "application/x-www-form-urlencoded") {
      auto form = CO_TRY(http::parse_query(call.body));
      for (auto& field : form) call.request.query.push_back(std::move(field));
    }
    co_return Result<void>();
  }

  async::Task<Result<void>> transfer(Call& call, http::Exchange& exchange, TransferHandler handler) {
    Transfers::Membership member(watch_, [&exchange] { exchange.cut_off(); });
    if (watch_->is_crowded() && !std::exchange(relieving_, true)) {
      async::asio::co_spawn(co_await async::asio::this_coro::executor, relieve(), async::asio::detached);
    }
    auto reply = std::make_unique<ExchangeReply>(exchange, member.entry());
    auto done = co_await async::blocking(transfers_, [&]() -> Result<void> {
      auto source = exchange.body_source();
      WatchedSource watched(*source, member.entry());
      auto result = handler(call, watched, *reply);
      if (result || !reply->started() || !reply->is_json()) return result;
      // The status line is long gone; clients look for the error in the stream.
      spdlog::debug("{}: {}", call.request.path, result.error().message());
      return reply->write(format_stream_error(result.error().message()));
    });
    CO_TRY(std::move(done));
    if (reply->started()) co_return co_await exchange.finish_stream();
    co_return co_await exchange.respond(std::move(reply->answer()));
  }

  /// Looks after a crowd of transfers as long as there is one.
  async::Task<void> relieve() {
    async::asio::steady_timer timer(co_await async::asio::this_coro::executor);
    while (watch_->is_crowded()) {
      if (size_t cut = watch_->relieve(Transfers::Clock::now()); cut > 0)
        spdlog::warn("{} transfers stood still while others waited: cut off", cut);
      timer.expires_after(kTransferLook);
      co_await timer.async_wait(async::asio::use_awaitable);
    }
    relieving_ = false;
  }

  Services services_;
  std::shared_ptr<Transfers> watch_ = std::make_shared<Transfers>(kTransferThreads, kTransferStall);
  bool relieving_ = false;
  async::Pool reads_{"api-read", kReadThreads};
  async::Pool writes_{"api-write", kWriteThreads};
  async::Pool transfers_{"api-transfer", kTransferThreads};
};

}  // namespace

std::unique_ptr<Api> make_api(engine::Engine& engine, async::asio::io_context&, ApiOptions options) {
  return std::make_unique<EngineApi>(engine, std::move(options));
}

}  // namespace sampan::api
