#pragma once
// async: the event loop and the way from coroutines to the blocking core.
//
// Coroutines (boost::asio::awaitable) live only in async, http, api, cri and bin. Everything below is plain blocking
// code that runs on a bounded Pool through `co_await blocking(pool, fn)`. Nothing waits on a pool thread: long waits
// (exit of a container, more log lines, the next event) are subscriptions that wake a coroutine.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/async_result.hpp>

#include <functional>
#include <memory>

#include "base/result.h"

namespace sampan::async {

namespace asio = boost::asio;
template <typename T>
using Task = asio::awaitable<T>;

/// A bounded set of threads for blocking work. Work that is queued past the bound waits its turn.
using Pool = asio::thread_pool;

/// Runs fn() on the pool and resumes the coroutine on its own executor with the result. fn must not throw.
template <typename Fn>
Task<std::invoke_result_t<Fn>> blocking(Pool& pool, Fn fn) {
  using R = std::invoke_result_t<Fn>;
  auto executor = co_await asio::this_coro::executor;
  if constexpr (std::is_void_v<R>) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [&pool, executor](auto handler, Fn work) {
          asio::post(pool, [handler = std::move(handler), work = std::move(work), executor]() mutable {
            work();
            asio::post(executor, std::move(handler));
          });
        },
        asio::use_awaitable, std::move(fn));
  } else {
    auto slot = std::make_shared<std::optional<R>>();
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [&pool, executor, slot](auto handler, Fn work) {
          asio::post(pool, [handler = std::move(handler), work = std::move(work), executor, slot]() mutable {
            slot->emplace(work());
            asio::post(executor, std::move(handler));
          });
        },
        asio::use_awaitable, std::move(fn));
    R out = std::move(**slot);
    co_return out;
  }
}

}  // namespace sampan::async
