// Checkpoints of containers: offered by a daemon that was started as experimental.
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"

namespace sampan::api {
namespace {

struct CheckpointBody {
  std::string checkpoint_id, checkpoint_dir;
  bool exit = false;
};
BOOST_DESCRIBE_STRUCT(CheckpointBody, (), (checkpoint_id, checkpoint_dir, exit))
constexpr codec::JsonName kCheckpointNames[] = {{"checkpoint_id", "CheckpointID"}};
codec::JsonStyle json_style(const CheckpointBody*) {
  return {.names = kCheckpointNames};
}

// Docker's words.
Result<void> check_experimental(Call& call) {
  if (call.engine().options().experimental) return {};
  return fail(Code::NotImplemented,
              "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order "
              "to enable it.");
}

}  // namespace

Result<http::Response> list_checkpoints(Call& call) {
  TRY(check_experimental(call));
  json::array out;
  for (const auto& name : TRY(call.engine().list_checkpoints(call.name, call.get("dir"))))
    out.push_back(json::object{{"Name", json::string(name)}});
  return json_answer(200, std::move(out));
}

Result<http::Response> create_checkpoint(Call& call) {
  TRY(check_experimental(call));
  if (call.body.empty()) return fail(Code::InvalidArgument, "invalid JSON: got EOF while reading request body");
  auto body = TRY(codec::from_json<CheckpointBody>(call.body));
  TRY(call.engine().create_checkpoint(call.name, body.checkpoint_id, body.checkpoint_dir, body.exit));
  return empty_answer(201);
}

Result<http::Response> remove_checkpoint(Call& call) {
  TRY(check_experimental(call));
  constexpr std::string_view kInfix = "/checkpoints/";
  size_t at = call.name.find(kInfix);
  std::string container = call.name.substr(0, at), checkpoint = call.name.substr(at + kInfix.size());
  TRY(call.engine().remove_checkpoint(container, checkpoint, call.get("dir")));
  return empty_answer(204);
}

}  // namespace sampan::api
