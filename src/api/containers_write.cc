#include "api/internal/create_versions.h"
#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "api/internal/prune.h"
#include "base/strings.h"

namespace sampan::api {
namespace {

constexpr std::string_view kPruneFilters[] = {"label", "label!", "until"};

Result<std::optional<int>> stop_timeout(const Call& call) {
  auto text = call.request.find("t");
  if (!text || text->empty()) return std::optional<int>();
  int64_t seconds = TRY(call.number("t", 0));
  if (!std::in_range<int>(seconds)) return fail(Code::InvalidArgument, "invalid value for t: {}", seconds);
  return std::optional<int>(static_cast<int>(std::max<int64_t>(seconds, -1)));
}

/// The signal of stop and restart came with 1.42.
std::string stop_signal(const Call& call) {
  return call.version >= Version{1, 42} ? call.get("signal") : "";
}

Result<http::Response> no_content(Result<void> done) {
  TRY(std::move(done));
  return empty_answer(204);
}

/// One side of a terminal: `h` or `w`.
Result<uint16_t> terminal_side(const Call& call, std::string_view key) {
  auto value = parse_uint(call.get(key));
  if (!value || *value > UINT16_MAX) return fail(Code::InvalidArgument, "invalid resize {} \"{}\"", key, call.get(key));
  return static_cast<uint16_t>(*value);
}

}  // namespace

Result<http::Response> create_container(Call& call) {
  auto spec = TRY(container::parse_container_spec(call.body));
  spec.name = call.get("name");
  if (spec.name.starts_with('/')) spec.name.erase(0, 1);
  if (call.version >= Version{1, 41}) spec.platform = call.get("platform");
  auto warnings = TRY(fit_to_version(spec, call.version));
  auto created = TRY(call.engine().create_container(spec));
  created.warnings.insert(created.warnings.begin(), warnings.begin(), warnings.end());
  return json_answer(201,
                     json::object{{"Id", json::string(created.id)}, {"Warnings", codec::write_json(created.warnings)}});
}

Result<http::Response> start_container(Call& call) {
  // Clients send "{}" or "null"; anything longer is the HostConfig of long ago.
  if (call.body.size() > 7) {
    return fail(Code::InvalidArgument,
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
  }
  if (std::string checkpoint = call.get("checkpoint"); !checkpoint.empty()) {
    if (!call.engine().options().experimental)
      return fail(Code::InvalidArgument, "checkpoint is only supported in experimental mode");
    return no_content(call.engine().restore_container(call.name, checkpoint, call.get("checkpoint-dir")));
  }
  return no_content(call.engine().start_container(call.name));
}

Result<http::Response> stop_container(Call& call) {
  return no_content(call.engine().stop_container(call.name, TRY(stop_timeout(call)), stop_signal(call)));
}

Result<http::Response> restart_container(Call& call) {
  return no_content(call.engine().restart_container(call.name, TRY(stop_timeout(call)), stop_signal(call)));
}

Result<http::Response> kill_container(Call& call) {
  auto killed = call.engine().kill_container(call.name, call.get("signal", "SIGKILL"));
  if (!killed && killed.error().code() == Code::NotFound)
    return std::move(killed).error().context("cannot kill container: " + call.name);
  return no_content(std::move(killed));
}

Result<http::Response> pause_container(Call& call) {
  return no_content(call.engine().pause_container(call.name));
}
Result<http::Response> unpause_container(Call& call) {
  return no_content(call.engine().unpause_container(call.name));
}

Result<http::Response> rename_container(Call& call) {
  std::string name = call.get("name");
  if (name.starts_with('/')) name.erase(0, 1);
  if (name.empty()) return fail(Code::InvalidArgument, "Neither old nor new names may be empty");
  auto renamed = call.engine().rename_container(call.name, name);
  bool bad_name = !renamed && (renamed.error().message().starts_with("Invalid container name") ||
                               renamed.error().message().starts_with("Conflict. The container name"));
  if (bad_name) return std::move(renamed).error().context("Error when allocating new name");
  return no_content(std::move(renamed));
}

Result<http::Response> update_container(Call& call) {
  auto warnings = TRY(call.engine().update_container(call.name, call.body));
  return json_answer(200, json::object{{"Warnings", null_if_empty(warnings)}});
}

Result<http::Response> resize_container(Call& call) {
  uint16_t rows = TRY(terminal_side(call, "h")), columns = TRY(terminal_side(call, "w"));
  TRY(call.engine().resize_container(call.name, rows, columns));
  return empty_answer(200);
}

Result<http::Response> resize_exec(Call& call) {
  uint16_t rows = TRY(terminal_side(call, "h")), columns = TRY(terminal_side(call, "w"));
  TRY(call.engine().resize_exec(call.name, rows, columns));
  return empty_answer(200);
}

Result<http::Response> remove_container(Call& call) {
  if (call.name.find("/checkpoints/") != std::string::npos) return remove_checkpoint(call);
  if (call.flag("link")) {
    if (call.name.find('/', 1) == std::string::npos) TRY(call.engine().get_container(call.name));
    return no_content(call.engine().remove_link(call.name));
  }
  return no_content(call.engine().remove_container(call.name, {call.flag("force"), call.flag("v")}));
}

Result<http::Response> prune_containers(Call& call) {
  auto filters = TRY(parse_filters(call, kPruneFilters));
  auto guard = TRY(PruneGuard::acquire(call.services, PruneKind::Containers));
  auto pruned = TRY(call.engine().prune_containers(filters));
  return json_answer(200, json::object{{"ContainersDeleted", null_if_empty(pruned.deleted)},
                                       {"SpaceReclaimed", pruned.space_reclaimed}});
}

Result<http::Response> commit_container(Call& call) {
  std::string container = call.get("container");
  if (container.empty()) return fail(Code::InvalidArgument, "container is required");
  engine::CommitOptions options;
  if (std::string repo = call.get("repo"); !repo.empty()) {
    std::string suffix = call.get("tag");
    options.tag = TRY(oci::parse_reference(suffix.empty() ? repo : repo + ":" + suffix));
  }
  if (!TRY(parse_body(call)).empty()) options.config = TRY(container::parse_container_spec(call.body)).config;
  options.changes = change_lines(call.request);
  options.comment = call.get("comment", call.get("m"));
  options.author = call.get("author");
  options.pause = call.flag("pause", true);
  auto id = TRY(call.engine().commit_container(container, options));
  return json_answer(201, json::object{{"Id", json::string(id)}});
}

}  // namespace sampan::api
