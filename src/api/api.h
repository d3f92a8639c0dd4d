#pragma once
// api: Docker's Engine API (versions 1.24 to 1.51) over the engine's typed calls.
//
// One table (routes.cc) names every endpoint: method, path, oldest version, handler. Each is served at /x and at
// /v1.N/x. There are four kinds of handler, by what they need:
//
//   inline     answers at once on the loop                                          ping
//   plain      a blocking call with a JSON body in and out, run on a pool           most of them
//   transfer   a blocking call that streams a body in or a progress or tar out      pull, build, save, cp
//   stream     a coroutine that may be idle for hours and costs no thread           events, logs -f, stats, wait,
//   attach
//
// Everything that differs between API versions is decided here, by the version in the path; below, there is one.
// An endpoint or option without an implementation answers 501 and names it; swarm's answer 503 as outside a swarm.
//
//   auto api = api::make_api(engine, loop, options);
//   auto server = http::make_server(loop, api->handler());

#include <memory>

#include "api/options.h"
#include "async/async.h"
#include "engine/engine.h"
#include "http/http.h"

namespace sampan::api {

class Api {
 public:
  virtual ~Api() = default;
  virtual http::Handler handler() = 0;
  /// Waits for blocking calls that are under way. The loop must still run; stop the server first.
  virtual void drain() = 0;
  /// Answers from now on tell this. Threads: any.
  virtual void reconfigure(ApiOptions options) = 0;
};
/// The engine and the loop must outlive it.
std::unique_ptr<Api> make_api(engine::Engine& engine, async::asio::io_context& loop, ApiOptions options);

}  // namespace sampan::api
