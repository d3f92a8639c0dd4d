// GET /containers/{id}/stats: a sample a second, or one.
#include "api/internal/json_stats.h"
#include "api/internal/streams.h"
#include "async/signal.h"

namespace sampan::api {
namespace {

using engine::StatsSample;

constexpr std::chrono::seconds kInterval(1);

/// nullopt when the container does not run (any more). Errors: NotFound when it has gone.
Result<std::optional<StatsSample>> sample(engine::Engine& engine, const std::string& id) {
  auto record = TRY(engine.get_container(id));
  if (!record->state.running() || record->state.status == "restarting") return std::optional<StatsSample>();
  auto taken = engine.sample_stats(id);
  if (!taken) return std::optional<StatsSample>();  // it ended between the two
  return std::optional<StatsSample>(std::move(*taken));
}

std::string format(const container::ContainerRecord& record, const std::optional<StatsSample>& now,
                   const std::optional<StatsSample>& before) {
  auto object = now ? format_stats(record, *now, before ? &*before : nullptr) : format_stats_stub(record);
  return codec::format_json(object) + "\n";
}

}  // namespace

async::Task<Result<void>> stream_stats(Call& call, StreamContext context) {
  bool stream = call.flag("stream", true);
  bool one_shot = call.flag("one-shot") && call.version >= Version{1, 41};
  if (stream && one_shot) co_return fail(Code::InvalidArgument, "cannot have stream=true and one-shot=true");
  auto record = CO_TRY(call.engine().get_container(call.name));
  auto take = [&call, id = record->id] { return sample(call.engine(), id); };

  async::Signal gone(co_await async::asio::this_coro::executor);
  context.exchange.on_closed(gone.setter());
  auto first = co_await async::blocking(context.reads, take);
  std::optional<StatsSample> before, now = CO_TRY(std::move(first));
  if (stream) {
    CO_TRY(co_await context.exchange.start_stream({200, {{"Content-Type", "application/json"}}, ""}));
  } else if (one_shot || !now) {
    co_return co_await context.exchange.respond(
        {200, {{"Content-Type", "application/json"}}, format(*record, now, std::nullopt)});
  }
  auto next = std::chrono::steady_clock::now();
  for (;;) {
    if (stream) CO_TRY(co_await context.exchange.write_chunk(format(*record, now, before)));
    next = std::max(next + kInterval, std::chrono::steady_clock::now());
    if (co_await gone.wait_until(next)) co_return Result<void>();
    before = std::move(now);
    auto taken = co_await async::blocking(context.reads, take);
    if (!taken && stream) break;  // removed: the stream ends
    now = CO_TRY(std::move(taken));
    if (!stream) {
      co_return co_await context.exchange.respond(
          {200, {{"Content-Type", "application/json"}}, format(*record, now, before)});
    }
  }
  co_return co_await context.exchange.finish_stream();
}

}  // namespace sampan::api
