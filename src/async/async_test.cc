#include "async/async.h"

#include <gtest/gtest.h>

#include <latch>
#include <stdexcept>
#include <thread>

#include "async/signal.h"

namespace sampan::async {
namespace {

template <typename T>
T run(asio::io_context& loop, Task<T> task) {
  std::optional<T> out;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr thrown, T value) {
    if (!thrown) out = std::move(value);
  });
  loop.restart();
  loop.run();
  return out ? *out : T{};
}

TEST(Blocking, resumes_on_the_loop_thread_with_the_result) {
  asio::io_context loop;
  Pool pool("test", 2);
  auto task = [&]() -> Task<bool> {
    auto before = std::this_thread::get_id();
    auto inside = co_await blocking(pool, [] { return std::this_thread::get_id(); });
    co_return inside != before&& std::this_thread::get_id() == before;
  };
  EXPECT_TRUE(run(loop, task()));
}

TEST(Blocking, an_exception_reaches_the_coroutine) {
  asio::io_context loop;
  Pool pool("test", 1);
  auto task = [&]() -> Task<std::string> {
    std::string what;
    try {
      co_await blocking(pool, [] { throw std::runtime_error("broken"); });
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    co_return what;
  };
  EXPECT_EQ(run(loop, task()), "broken");
}

TEST(Pool, work_past_the_bound_waits_its_turn_and_is_run) {
  std::atomic<int> running = 0, most = 0, done = 0;
  {
    Pool pool("test", 3);
    for (int i = 0; i < 50; ++i) {
      pool.post([&] {
        int now = ++running;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::yield();
        --running;
        ++done;
      });
    }
  }
  EXPECT_EQ(done, 50);
  EXPECT_LE(most, 3);
}

TEST(Pool, blocked_work_does_not_hold_back_other_work_below_the_bound) {
  Pool pool("test", 4);
  std::latch release(1), ran(3);
  pool.post([&] { release.wait(); });
  for (int i = 0; i < 3; ++i) pool.post([&] { ran.count_down(); });
  ran.wait();
  release.count_down();
}

TEST(Signal, a_set_before_the_wait_is_not_lost) {
  asio::io_context loop;
  Signal signal(loop.get_executor());
  signal.set();
  signal.set();
  auto task = [&]() -> Task<int> {
    co_await signal.wait();
    bool again = co_await signal.wait_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(5));
    co_return again ? 2 : 1;
  };
  EXPECT_EQ(run(loop, task()), 1);
}

TEST(Signal, another_thread_wakes_the_coroutine) {
  asio::io_context loop;
  Signal signal(loop.get_executor());
  auto task = [&]() -> Task<bool> {
    std::jthread other([setter = signal.setter()] { setter(); });
    co_return co_await signal.wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  };
  EXPECT_TRUE(run(loop, task()));
}

}  // namespace
}  // namespace sampan::async
