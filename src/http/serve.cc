// One connection's life: requests in turn, each with its handler; what a handler throws ends here.
#include <exception>

#include "http/internal/exchange.h"

namespace sampan::http::internal {
namespace {

std::string describe(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

std::string quote(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

async::Task<void> run_handler(const Handler& handler, ConnectionExchange& exchange) {
  std::exception_ptr thrown;
  try {
    co_await handler(exchange);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (exchange.answered()) co_return;
  std::string reason = thrown ? "internal error: " + describe(thrown) : "internal error: the request was not answered";
  (void)co_await exchange.respond(
      {500, {{"Content-Type", "application/json"}}, "{\"message\":\"" + quote(reason) + "\"}\n"});
}

}  // namespace

async::Task<void> serve(std::shared_ptr<Connection> connection, std::shared_ptr<const Handler> handler) {
  for (;;) {
    ConnectionExchange exchange(connection);
    Head head = co_await exchange.read_head();
    if (head != Head::Complete) break;
    co_await run_handler(*handler, exchange);
    if (!co_await exchange.end()) break;
  }
  connection->close();
}

}  // namespace sampan::http::internal
