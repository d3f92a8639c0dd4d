// POST /containers/{id}/wait: the head is sent once the condition is armed, the body when it holds.
#include <mutex>

#include "api/internal/json_answer.h"
#include "api/internal/streams.h"
#include "async/signal.h"

namespace sampan::api {
namespace {

using engine::WaitCondition;
using engine::WaitResult;

Result<WaitCondition> parse_condition(const Call& call) {
  std::string text = call.get("condition");
  if (text.empty() || text == "not-running") return WaitCondition::NotRunning;
  if (text == "next-exit") return WaitCondition::NextExit;
  if (text == "removed") return WaitCondition::Removed;
  return fail(Code::InvalidArgument, "invalid condition: \"{}\"", text);
}

/// What the engine's thread hands to the coroutine.
struct Outcome {
  std::mutex mutex;
  std::optional<WaitResult> result;
};

}  // namespace

async::Task<Result<void>> stream_wait(Call& call, StreamContext context) {
  auto condition = CO_TRY(parse_condition(call));
  async::Signal signal(co_await async::asio::this_coro::executor);
  auto outcome = std::make_shared<Outcome>();
  auto done = [outcome, setter = signal.setter()](WaitResult result) {
    {
      std::lock_guard lock(outcome->mutex);
      outcome->result = std::move(result);
    }
    setter();
  };
  auto armed =
      co_await async::blocking(context.reads, [&] { return call.engine().wait_container(call.name, condition, done); });
  auto handle = CO_TRY(std::move(armed));
  context.exchange.on_closed(signal.setter());
  CO_TRY(co_await context.exchange.start_stream({200, {{"Content-Type", "application/json"}}, ""}));
  std::optional<WaitResult> result;
  while (!result) {
    co_await signal.wait();
    {
      std::lock_guard lock(outcome->mutex);
      result = outcome->result;
    }
    if (!result && context.exchange.cancel().cancelled()) co_return Result<void>();
  }
  json::object body{{"StatusCode", result->status_code}};
  if (call.version < Version{1, 42}) body["Error"] = nullptr;
  if (!result->error.empty()) body["Error"] = json::object{{"Message", json::string(result->error)}};
  CO_TRY(co_await context.exchange.write_chunk(codec::format_json(body) + "\n"));
  co_return co_await context.exchange.finish_stream();
}

}  // namespace sampan::api
