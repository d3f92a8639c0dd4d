#include "async/signal.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sampan::async {

struct Signal::State {
  explicit State(asio::any_io_executor loop) : timer(std::move(loop)) {}
  asio::steady_timer timer;
  std::atomic<bool> set = false;
};

Signal::Signal(asio::any_io_executor loop) : state_(std::make_shared<State>(std::move(loop))) {}

void Signal::set() const {
  if (state_->set.exchange(true)) return;
  asio::post(state_->timer.get_executor(), [state = state_] { state->timer.cancel(); });
}

Task<void> Signal::wait() const {
  (void)co_await wait_until(std::chrono::steady_clock::time_point::max());
}

Task<bool> Signal::wait_until(std::chrono::steady_clock::time_point deadline) const {
  auto state = state_;
  for (;;) {
    if (state->set.exchange(false)) co_return true;
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    state->timer.expires_at(deadline);
    (void)co_await state->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace sampan::async
