#include "container/spec.h"

#include <algorithm>

#include "base/strings.h"
#include "codec/json.h"

namespace sampan::container {

Result<ContainerSpec> parse_container_spec(std::string_view text) {
  ContainerSpec out;
  if (trim(text).empty()) return fail(Code::InvalidArgument, "invalid JSON: got EOF while reading request body");
  auto value = TRY(codec::parse_json(text));
  const auto* object = value.if_object();
  if (!object) return fail(Code::InvalidArgument, "invalid JSON: the container's configuration must be an object");
  bool configured = std::ranges::any_of(
      *object, [](const auto& member) { return member.key() != "HostConfig" && member.key() != "NetworkingConfig"; });
  if (!configured) return fail(Code::InvalidArgument, "config cannot be empty in order to create a container");
  // Older clients send Cmd and Entrypoint as one string.
  for (const char* key : {"Cmd", "Entrypoint"}) {
    auto* member = value.as_object().if_contains(key);
    if (member && member->is_string()) {
      codec::json::array list;
      list.emplace_back(codec::json::string(member->get_string()));
      *member = std::move(list);
    }
  }
  TRY(codec::read_json(value, out.config));
  if (const auto* host = object->if_contains("HostConfig"); host && !host->is_null()) {
    TRY(codec::read_json(*host, out.host_config, "HostConfig"));
  }
  if (const auto* networking = object->if_contains("NetworkingConfig"); networking && !networking->is_null()) {
    TRY(codec::read_json(*networking, out.networking_config, "NetworkingConfig"));
  }
  return out;
}

Result<void> merge_update(std::string_view text, HostConfig& host) {
  auto value = TRY(codec::parse_json(text));
  const auto* object = value.if_object();
  if (!object) return fail(Code::InvalidArgument, "invalid JSON: the update must be an object");
  // Clients send every member; zero means "leave as it is".
  codec::json::object present;
  for (const auto& item : *object) {
    const auto& v = item.value();
    bool zero = v.is_null() || (v.is_int64() && v.get_int64() == 0) || (v.is_string() && v.get_string().empty()) ||
                (v.is_array() && v.get_array().empty()) || (v.is_bool() && !v.get_bool());
    if (!zero) present.emplace(item.key(), v);
  }
  if (auto* policy = present.if_contains("RestartPolicy")) {
    const auto* fields = policy->if_object();
    const auto* name = fields ? fields->if_contains("Name") : nullptr;
    if (!name || !name->is_string() || name->get_string().empty()) present.erase("RestartPolicy");
  }
  return codec::read_json(codec::json::value(std::move(present)), host);
}

std::string format_config(const ContainerConfig& config) {
  return codec::to_json(config);
}
std::string format_host_config(const HostConfig& config) {
  return codec::to_json(config);
}

}  // namespace sampan::container
