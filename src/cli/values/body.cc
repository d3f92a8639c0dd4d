#include "cli/values/body.h"

#include "base/strings.h"
#include "cli/values/kind.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

// Kinds whose values touch several fields, or need files or the environment: make_create_request and others do them.
bool is_handled_elsewhere(const Option& option) {
  switch (option.kind) {
    case Kind::Publish:
    case Kind::Expose:
    case Kind::Volume:
    case Kind::Network:
    case Kind::Env:
    case Kind::Gpus:
    case Kind::AttachTo:
      return true;
    default:
      break;
  }
  for (std::string_view name : {"env-file", "label-file", "security-opt", "health-cmd", "no-healthcheck"}) {
    if (option.name == name) return true;
  }
  return option.field == "body:NetworkingConfig.EndpointsConfig" || option.field == "body:IPAM.Config" ||
         option.field.starts_with("body:EndpointConfig");
}

}  // namespace

void put_value(json::object& body, std::string_view path, json::value value, bool merge) {
  json::object* object = &body;
  while (true) {
    size_t dot = path.find('.');
    auto& slot = (*object)[path.substr(0, dot)];
    if (dot == std::string_view::npos) {
      if (merge && slot.is_array() && value.is_array()) {
        for (auto& item : value.get_array()) slot.get_array().push_back(std::move(item));
      } else if (merge && slot.is_object() && value.is_object()) {
        for (auto& item : value.get_object()) slot.get_object()[item.key()] = std::move(item.value());
      } else {
        slot = std::move(value);
      }
      return;
    }
    if (!slot.is_object()) slot = json::object();
    object = &slot.get_object();
    path.remove_prefix(dot + 1);
  }
}

Result<void> fill_body(const Arguments& arguments, json::object& body) {
  for (const auto& [option, value] : arguments.given) {
    if (!option->field.starts_with("body:") || is_handled_elsewhere(*option)) continue;
    auto converted = value_to_json(option->kind, value);
    if (!converted) return std::move(converted).error();
    put_value(body, option->field.substr(5), std::move(*converted), kind_info(option->kind).merge != Merge::Set);
  }
  return {};
}

json::object pairs_to_object(const std::vector<std::string>& pairs) {
  json::object out;
  for (const std::string& text : pairs) {
    auto pair = split_once(text, '=');
    out[pair ? pair->first : std::string_view(text)] = json::string(pair ? pair->second : std::string_view());
  }
  return out;
}

}  // namespace sampan::cli
