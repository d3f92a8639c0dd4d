#pragma once
// api/internal/attach: what attaching by hijacking and by a WebSocket have in common.

#include "api/internal/call.h"
#include "container/record.h"

namespace sampan::api {

struct AttachPlan {
  std::string id;
  shim::AttachOptions options;
  bool logs = false, stream = false;
};
/// The query's wishes. Errors: Conflict (paused, restarting), InvalidArgument (detach keys).
Result<AttachPlan> plan_attach(const Call& call, const container::ContainerRecord& record);
/// Replays the log when asked, then hands the client's end to the shim. Blocks while the log is replayed.
void serve_attach(engine::Engine& engine, AttachPlan& plan, sys::Fd client);

}  // namespace sampan::api
