#include "cdi/spec_file.h"

#include <algorithm>

#include "base/strings.h"
#include "cdi/internal/yaml.h"
#include "codec/json.h"

namespace sampan::cdi {

namespace {

namespace json = boost::json;

constexpr std::string_view kVersions[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0"};
constexpr std::string_view kHookNames[] = {"prestart",       "createRuntime", "createContainer",
                                           "startContainer", "poststart",     "poststop"};

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Letters and digits at both ends, and `more` between them.
bool is_name(std::string_view text, std::string_view more) {
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::ranges::all_of(text,
                             [&](char c) { return is_alphanumeric(c) || more.find(c) != std::string_view::npos; });
}

bool is_kind(std::string_view text) {
  auto parts = split_once(text, '/');
  auto starts_with_letter = [](std::string_view word) { return !word.empty() && (word[0] < '0' || word[0] > '9'); };
  return parts && starts_with_letter(parts->first) && is_name(parts->first, "_-.") &&
         starts_with_letter(parts->second) && is_name(parts->second, "_-");
}

/// A member that we do not know may be what makes the device work: a file that has one is not ours to guess at.
template <typename T>
Result<void> refuse_unknown(const json::value& value, const std::string& where) {
  const auto* object = value.if_object();
  if (!object) return {};  // told when it is read
  const auto& known = codec::detail::member_names<T>();
  for (const auto& [key, item] : *object) {
    if (std::ranges::find(known, std::string_view(key)) == std::end(known))
      return fail(Code::InvalidArgument, "{}{}: unknown", where, std::string_view(key));
  }
  return {};
}

template <typename T>
Result<void> refuse_unknown_in(const json::value& parent, const char* list, const std::string& where) {
  const auto* object = parent.if_object();
  const auto* found = object ? object->if_contains(list) : nullptr;
  const auto* items = found ? found->if_array() : nullptr;
  if (!items) return {};
  for (size_t i = 0; i < items->size(); ++i)
    TRY(refuse_unknown<T>((*items)[i], fmt::format("{}{}[{}].", where, list, i)));
  return {};
}

Result<void> refuse_unknown_edits(const json::value& parent, const std::string& where) {
  const auto* object = parent.if_object();
  const auto* edits = object ? object->if_contains("containerEdits") : nullptr;
  if (!edits) return {};
  std::string inside = where + "containerEdits.";
  TRY(refuse_unknown<ContainerEdits>(*edits, inside));
  TRY(refuse_unknown_in<DeviceNode>(*edits, "deviceNodes", inside));
  TRY(refuse_unknown_in<Mount>(*edits, "mounts", inside));
  return refuse_unknown_in<Hook>(*edits, "hooks", inside);
}

Result<void> refuse_unknown_file(const json::value& file) {
  TRY(refuse_unknown<SpecFile>(file, ""));
  TRY(refuse_unknown_edits(file, ""));
  TRY(refuse_unknown_in<Device>(file, "devices", ""));
  const auto* devices = file.as_object().if_contains("devices");
  const auto* list = devices ? devices->if_array() : nullptr;
  for (size_t i = 0; list && i < list->size(); ++i)
    TRY(refuse_unknown_edits((*list)[i], fmt::format("devices[{}].", i)));
  return {};
}

Result<void> check_env(const std::vector<std::string>& env, const std::string& where) {
  for (size_t i = 0; i < env.size(); ++i) {
    if (env[i].find('=') == std::string::npos || env[i].starts_with('='))
      return fail(Code::InvalidArgument, "{}env[{}]: \"{}\" is not NAME=VALUE", where, i, env[i]);
  }
  return {};
}

Result<void> check_node(const DeviceNode& node, const std::string& where) {
  if (!node.path.starts_with('/'))
    return fail(Code::InvalidArgument, "{}path: \"{}\" is not absolute", where, node.path);
  if (!node.host_path.empty() && !node.host_path.starts_with('/'))
    return fail(Code::InvalidArgument, "{}hostPath: \"{}\" is not absolute", where, node.host_path);
  if (node.type.size() > 1 || std::string_view("bcup").find(node.type) == std::string_view::npos)
    return fail(Code::InvalidArgument, "{}type: \"{}\" is none of b, c, u, p", where, node.type);
  if (node.permissions.find_first_not_of("rwm") != std::string::npos)
    return fail(Code::InvalidArgument, "{}permissions: \"{}\" is not made of r, w, m", where, node.permissions);
  return {};
}

Result<void> check_edits(const ContainerEdits& edits, const std::string& where) {
  TRY(check_env(edits.env, where));
  for (size_t i = 0; i < edits.device_nodes.size(); ++i)
    TRY(check_node(edits.device_nodes[i], fmt::format("{}deviceNodes[{}].", where, i)));
  for (size_t i = 0; i < edits.mounts.size(); ++i) {
    const auto& mount = edits.mounts[i];
    std::string at = fmt::format("{}mounts[{}].", where, i);
    if (mount.host_path.empty()) return fail(Code::InvalidArgument, "{}hostPath: missing", at);
    if (!mount.container_path.starts_with('/'))
      return fail(Code::InvalidArgument, "{}containerPath: \"{}\" is not absolute", at, mount.container_path);
  }
  for (size_t i = 0; i < edits.hooks.size(); ++i) {
    const auto& hook = edits.hooks[i];
    std::string at = fmt::format("{}hooks[{}].", where, i);
    if (std::ranges::find(kHookNames, hook.hook_name) == std::end(kHookNames))
      return fail(Code::InvalidArgument, "{}hookName: \"{}\" is no hook", at, hook.hook_name);
    if (!hook.path.starts_with('/'))
      return fail(Code::InvalidArgument, "{}path: \"{}\" is not absolute", at, hook.path);
    TRY(check_env(hook.env, at));
  }
  return {};
}

/// A member that the file's version does not have yet would be overlooked by others: so it is told here.
Result<void> check_version(const std::string& version, const ContainerEdits& edits, const std::string& where) {
  auto host_paths = std::ranges::any_of(edits.device_nodes, [](const auto& node) { return !node.host_path.empty(); });
  auto types = std::ranges::any_of(edits.mounts, [](const auto& mount) { return !mount.type.empty(); });
  struct Since {
    bool used;
    const char *member, *version;
  };
  const Since members[] = {{types, "mounts.type", "0.4.0"},
                           {host_paths, "deviceNodes.hostPath", "0.5.0"},
                           {edits.intel_rdt.has_value(), "intelRdt", "0.7.0"},
                           {!edits.additional_gids.empty(), "additionalGids", "0.7.0"}};
  for (const auto& member : members) {
    if (member.used && version < member.version)
      return fail(Code::InvalidArgument, "{}{}: needs cdiVersion {} or later, not {}", where, member.member,
                  member.version, version);
  }
  return {};
}

bool is_empty(const ContainerEdits& edits) {
  return edits.env.empty() && edits.device_nodes.empty() && edits.mounts.empty() && edits.hooks.empty() &&
         !edits.intel_rdt && edits.additional_gids.empty();
}

Result<void> check(const SpecFile& file) {
  if (std::ranges::find(kVersions, file.cdi_version) == std::end(kVersions))
    return fail(Code::InvalidArgument, "cdiVersion: \"{}\" is none of 0.3.0 to 1.0.0", file.cdi_version);
  if (!is_kind(file.kind)) return fail(Code::InvalidArgument, "kind: \"{}\" is not VENDOR/CLASS", file.kind);
  if (file.devices.empty()) return fail(Code::InvalidArgument, "devices: none");
  TRY(check_edits(file.container_edits, "containerEdits."));
  TRY(check_version(file.cdi_version, file.container_edits, "containerEdits."));
  for (size_t i = 0; i < file.devices.size(); ++i) {
    const auto& device = file.devices[i];
    std::string where = fmt::format("devices[{}].", i);
    if (!is_name(device.name, "_-.:"))
      return fail(Code::InvalidArgument, "{}name: \"{}\" is not a device's name", where, device.name);
    auto same = [&](const Device& other) { return other.name == device.name; };
    if (std::ranges::count_if(file.devices, same) > 1)
      return fail(Code::InvalidArgument, "{}name: \"{}\" is there twice", where, device.name);
    where += "containerEdits.";
    if (is_empty(device.container_edits)) return fail(Code::InvalidArgument, "{}: empty", where);
    TRY(check_edits(device.container_edits, where));
    TRY(check_version(file.cdi_version, device.container_edits, where));
  }
  return {};
}

}  // namespace

Result<SpecFile> parse_spec_file(const std::string& text) {
  auto value = TRY(parse_yaml(text));
  if (!value.is_object()) return fail(Code::InvalidArgument, "not an object");
  TRY(refuse_unknown_file(value));
  SpecFile file;
  TRY(codec::read_json(value, file));
  TRY(check(file));
  return file;
}

}  // namespace sampan::cdi
