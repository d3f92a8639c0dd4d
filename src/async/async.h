#pragma once
// async: the event loop and the way from coroutines to the blocking core.
//
// Coroutines (boost::asio::awaitable) live only in async, http, api, cri and bin. Everything below is plain blocking
// code that runs on a bounded Pool through `co_await blocking(pool, fn)`. Nothing waits on a pool thread: long waits
// (exit of a container, more log lines, the next event) are subscriptions that wake a coroutine through a Signal.
//
// One thread runs the loop. What coroutines share needs no lock as long as it is touched between two co_awaits only;
// other threads come in through asio::post, Signal::set, or the end of a blocking().

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "async/pool.h"
#include "base/result.h"

namespace sampan::async {

namespace asio = boost::asio;
template <typename T>
using Task = asio::awaitable<T>;

/// Runs fn() on the pool and resumes the coroutine on its own executor with the result. What fn throws (a bug, or no
/// memory) is thrown again in the coroutine: it fails one request, not the daemon.
template <typename Fn>
Task<std::invoke_result_t<Fn>> blocking(Pool& pool, Fn fn) {
  using R = std::invoke_result_t<Fn>;
  using Slot = std::conditional_t<std::is_void_v<R>, bool, std::optional<R>>;
  struct Outcome {
    Slot value{};
    std::exception_ptr thrown;
  };
  auto executor = co_await asio::this_coro::executor;
  auto outcome = std::make_shared<Outcome>();
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&pool, executor, outcome](auto handler, Fn work) {
        pool.post([handler = std::move(handler), work = std::move(work), executor, outcome]() mutable {
          try {
            if constexpr (std::is_void_v<R>) {
              work();
            } else {
              outcome->value.emplace(work());
            }
          } catch (...) {
            outcome->thrown = std::current_exception();
          }
          asio::post(executor, std::move(handler));
        });
      },
      asio::use_awaitable, std::move(fn));
  if (outcome->thrown) std::rethrow_exception(outcome->thrown);
  if constexpr (!std::is_void_v<R>) {
    R out = std::move(*outcome->value);
    co_return out;
  }
}

}  // namespace sampan::async
