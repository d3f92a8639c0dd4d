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

/// The ContainerConfig in commit's body, as the Dockerfile lines that have the same effect.
Result<std::vector<std::string>> body_changes(const Call& call) {
  json::object body = TRY(parse_body(call));
  std::vector<std::string> out;
  for (const auto& item : body) {
    const auto& value = item.value();
    std::string_view key(item.key());
    bool empty = value.is_null() || (value.is_string() && value.get_string().empty()) ||
                 (value.is_array() && value.get_array().empty()) || (value.is_object() && value.get_object().empty());
    if (empty) continue;
    if ((key == "Cmd" || key == "Entrypoint") && value.is_array()) {
      out.push_back(to_upper(key) + " " + codec::format_json(value));
    } else if (key == "Env" && value.is_array()) {
      for (const auto& entry : value.get_array()) {
        auto pair = entry.is_string() ? split_once(std::string_view(entry.get_string()), '=') : std::nullopt;
        if (pair) out.push_back(fmt::format("ENV {}={}", pair->first, codec::format_json(json::string(pair->second))));
      }
    } else if (key == "Labels" && value.is_object()) {
      for (const auto& label : value.get_object()) {
        out.push_back(fmt::format("LABEL {}={}", codec::format_json(json::string(label.key())),
                                  codec::format_json(label.value())));
      }
    } else if ((key == "ExposedPorts" || key == "Volumes") && value.is_object()) {
      for (const auto& entry : value.get_object()) {
        out.push_back((key == "Volumes" ? "VOLUME " : "EXPOSE ") + std::string(entry.key()));
      }
    } else if ((key == "User" || key == "WorkingDir" || key == "StopSignal") && value.is_string()) {
      std::string verb = key == "WorkingDir" ? "WORKDIR" : key == "User" ? "USER" : "STOPSIGNAL";
      out.push_back(verb + " " + std::string(value.get_string()));
    } else if (key == "Healthcheck" || key == "OnBuild" || key == "Shell") {
      return fail(Code::NotImplemented, "commit with {} in its body is not implemented: use changes=", key);
    }
    // What is left describes a running container (Hostname, Tty, AttachStdin, ...), not an image.
  }
  return out;
}

}  // namespace

Result<http::Response> create_container(Call& call) {
  auto spec = TRY(container::parse_container_spec(call.body));
  spec.name = call.get("name");
  if (spec.name.starts_with('/')) spec.name.erase(0, 1);
  if (call.version >= Version{1, 41}) spec.platform = call.get("platform");
  if (call.version < Version{1, 44} && spec.networking_config.endpoints_config.size() > 1) {
    return fail(Code::InvalidArgument,
                "Container cannot be connected to network endpoints: more than one endpoint needs API version 1.44");
  }
  auto created = TRY(call.engine().create_container(spec));
  return json_answer(201,
                     json::object{{"Id", json::string(created.id)}, {"Warnings", codec::write_json(created.warnings)}});
}

Result<http::Response> start_container(Call& call) {
  // Clients send "{}" or "null"; anything longer is the HostConfig of long ago.
  if (call.body.size() > 7) {
    return fail(Code::InvalidArgument,
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
  }
  if (!call.get("checkpoint").empty())
    return fail(Code::NotImplemented, "starting from a checkpoint is not implemented");
  return no_content(call.engine().start_container(call.name));
}

Result<http::Response> stop_container(Call& call) {
  return no_content(call.engine().stop_container(call.name, TRY(stop_timeout(call)), stop_signal(call)));
}

Result<http::Response> restart_container(Call& call) {
  return no_content(call.engine().restart_container(call.name, TRY(stop_timeout(call)), stop_signal(call)));
}

Result<http::Response> kill_container(Call& call) {
  return no_content(call.engine().kill_container(call.name, call.get("signal", "SIGKILL")));
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
  return no_content(call.engine().rename_container(call.name, name));
}

Result<http::Response> update_container(Call& call) {
  auto warnings = TRY(call.engine().update_container(call.name, call.body));
  return json_answer(200, json::object{{"Warnings", codec::write_json(warnings)}});
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
  if (call.flag("link")) return fail(Code::NotImplemented, "removing a legacy link (link=1) is not implemented");
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
  std::optional<oci::Reference> tag;
  if (std::string repo = call.get("repo"); !repo.empty()) {
    std::string suffix = call.get("tag");
    tag = TRY(oci::parse_reference(suffix.empty() ? repo : repo + ":" + suffix));
  }
  auto changes = TRY(body_changes(call));
  for (auto& line : change_lines(call.request)) changes.push_back(std::move(line));
  std::string comment = call.get("comment", call.get("m"));
  auto id = TRY(
      call.engine().commit_container(container, tag, comment, call.get("author"), call.flag("pause", true), changes));
  return json_answer(201, json::object{{"Id", json::string(id)}});
}

}  // namespace sampan::api
