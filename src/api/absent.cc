// What this engine does not do, said so that a client understands.
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"

namespace sampan::api {

Result<http::Response> not_in_swarm(Call&) {
  return message_answer(
      503,
      "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect "
      "this node to swarm and try again.");
}

Result<http::Response> no_plugins(Call&) {
  return json_answer(200, json::array());
}

// `docker inspect NAME` asks for every kind of object in turn and goes on only after a 404.
Result<http::Response> no_such_plugin(Call& call) {
  return fail(Code::NotFound, "plugin \"{}\" not found", call.name);
}

Result<http::Response> absent_plugins(Call& call) {
  return fail(Code::NotImplemented, "managed plugins are not implemented: {} {}", call.request.method,
              call.request.path);
}

// 404 makes clients fall back to the classic builder, where another status would end the build.
Result<http::Response> absent_session(Call& call) {
  return message_answer(404, "BuildKit sessions are not implemented (" + call.request.path +
                                 "): use the classic builder, DOCKER_BUILDKIT=0");
}

Result<http::Response> absent_cancel_build(Call&) {
  return fail(Code::NotImplemented, "POST /build/cancel is not implemented: close the build's connection to cancel it");
}

}  // namespace sampan::api
