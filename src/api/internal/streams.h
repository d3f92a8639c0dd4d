#pragma once
// api/internal/streams: handlers that are coroutines: they may be idle for hours and hold no thread.

#include "api/internal/call.h"
#include "async/async.h"
#include "http/http.h"

namespace sampan::api {

/// What a stream handler works with besides its call.
struct StreamContext {
  http::Exchange& exchange;
  async::Pool& reads;   // for short blocking reads
  async::Pool& writes;  // for operations that may wait for a container
};
/// An error before anything was answered becomes an HTTP error; afterwards the stream just breaks off.
using StreamHandler = async::Task<Result<void>> (*)(Call& call, StreamContext context);

async::Task<Result<void>> stream_events(Call& call, StreamContext context);
async::Task<Result<void>> stream_logs(Call& call, StreamContext context);
async::Task<Result<void>> stream_stats(Call& call, StreamContext context);
async::Task<Result<void>> stream_wait(Call& call, StreamContext context);
async::Task<Result<void>> stream_attach(Call& call, StreamContext context);
async::Task<Result<void>> stream_attach_websocket(Call& call, StreamContext context);
async::Task<Result<void>> stream_exec_start(Call& call, StreamContext context);

}  // namespace sampan::api
