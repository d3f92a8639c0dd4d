// --mount: one comma separated list of key=value, as Docker's CSV reader takes it.
#include <unistd.h>

#include "base/strings.h"
#include "cli/values/values.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

// Splits one CSV record; a field in double quotes may hold commas, "" is a quote.
Result<std::vector<std::string>> split_csv(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += text[++i];
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return fail(Code::InvalidArgument, "parse error on line 1: extraneous or missing \" in quoted-field");
  return fields;
}

json::object& child(json::object& parent, const char* name) {
  auto& slot = parent[name];
  if (!slot.is_object()) slot = json::object();
  return slot.get_object();
}

enum class Owner { Any, Bind, Volume, Tmpfs, Image };

struct MountKey {
  std::string_view name;
  Owner owner;
  Result<void> (*set)(json::object& mount, const std::string& value);
};

Result<bool> parse_switch(std::string_view key, const std::string& value) {
  auto on = parse_boolean(value.empty() ? "true" : value);
  if (!on) return fail(Code::InvalidArgument, "invalid value for {}: {}", key, value);
  return *on;
}

Result<void> set_text(json::object& object, const char* name, const std::string& value) {
  object[name] = value;
  return {};
}

Result<void> set_switch(json::object& object, const char* name, std::string_view key, const std::string& value) {
  object[name] = TRY(parse_switch(key, value));
  return {};
}

Result<void> set_readonly(json::object& mount, const std::string& value) {
  return set_switch(mount, "ReadOnly", "readonly", value);
}

Result<void> set_source(json::object& mount, const std::string& value) {
  mount["Source"] = value;
  // Docker's rule for bind mounts: "." and "./x" are relative to the current directory.
  if (value == "." || value.starts_with("./") || value.starts_with("../") || value == "..") {
    char buffer[4096];
    if (::getcwd(buffer, sizeof buffer)) mount["Source"] = std::string(buffer) + "/" + value;
  }
  return {};
}

Result<void> set_target(json::object& mount, const std::string& value) {
  return set_text(mount, "Target", value);
}

Result<void> set_recursive(json::object& mount, const std::string& value) {
  auto& bind = child(mount, "BindOptions");
  if (value == "disabled") {
    bind["NonRecursive"] = true;
  } else if (value == "writable") {
    bind["ReadOnlyNonRecursive"] = true;
  } else if (value == "readonly") {
    bind["ReadOnlyForceRecursive"] = true;
  } else if (value != "enabled") {
    return fail(
        Code::InvalidArgument,
        "invalid value for bind-recursive: {} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
        value);
  }
  return {};
}

Result<void> set_tmpfs_size(json::object& mount, const std::string& value) {
  auto size = parse_bytes(value);
  if (!size) return fail(Code::InvalidArgument, "invalid value for tmpfs-size: {}", value);
  child(mount, "TmpfsOptions")["SizeBytes"] = *size;
  return {};
}

Result<void> set_tmpfs_mode(json::object& mount, const std::string& value) {
  uint32_t mode = 0;
  for (char c : value) {
    if (c < '0' || c > '7' || mode > 07777)
      return fail(Code::InvalidArgument, "invalid value for tmpfs-mode: {}", value);
    mode = mode * 8 + static_cast<uint32_t>(c - '0');
  }
  child(mount, "TmpfsOptions")["Mode"] = mode;
  return {};
}

Result<void> set_volume_label(json::object& mount, const std::string& value) {
  auto pair = split_once(value, '=');
  std::string key(pair ? pair->first : std::string_view(value));
  child(child(mount, "VolumeOptions"), "Labels")[key] = std::string(pair ? pair->second : "");
  return {};
}

Result<void> set_volume_option(json::object& mount, const std::string& value) {
  auto pair = split_once(value, '=');
  std::string key(pair ? pair->first : std::string_view(value));
  child(child(child(mount, "VolumeOptions"), "DriverConfig"), "Options")[key] = std::string(pair ? pair->second : "");
  return {};
}

constexpr MountKey kKeys[] = {
    {"type", Owner::Any, [](auto& m, const auto& v) { return set_text(m, "Type", to_lower(v)); }},
    {"source", Owner::Any, set_source},
    {"src", Owner::Any, set_source},
    {"target", Owner::Any, set_target},
    {"dst", Owner::Any, set_target},
    {"destination", Owner::Any, set_target},
    {"readonly", Owner::Any, set_readonly},
    {"ro", Owner::Any, set_readonly},
    {"consistency", Owner::Any, [](auto& m, const auto& v) { return set_text(m, "Consistency", to_lower(v)); }},
    {"bind-propagation", Owner::Bind,
     [](auto& m, const auto& v) { return set_text(child(m, "BindOptions"), "Propagation", to_lower(v)); }},
    {"bind-nonrecursive", Owner::Bind,
     [](auto& m, const auto& v) {
       return set_switch(child(m, "BindOptions"), "NonRecursive", "bind-nonrecursive", v);
     }},
    {"bind-recursive", Owner::Bind, set_recursive},
    {"bind-create-src", Owner::Bind,
     [](auto& m, const auto& v) {
       return set_switch(child(m, "BindOptions"), "CreateMountpoint", "bind-create-src", v);
     }},
    {"volume-subpath", Owner::Volume,
     [](auto& m, const auto& v) { return set_text(child(m, "VolumeOptions"), "Subpath", v); }},
    {"volume-nocopy", Owner::Volume,
     [](auto& m, const auto& v) { return set_switch(child(m, "VolumeOptions"), "NoCopy", "volume-nocopy", v); }},
    {"volume-label", Owner::Volume, set_volume_label},
    {"volume-driver", Owner::Volume,
     [](auto& m, const auto& v) { return set_text(child(child(m, "VolumeOptions"), "DriverConfig"), "Name", v); }},
    {"volume-opt", Owner::Volume, set_volume_option},
    {"tmpfs-size", Owner::Tmpfs, set_tmpfs_size},
    {"tmpfs-mode", Owner::Tmpfs, set_tmpfs_mode},
    {"image-subpath", Owner::Image,
     [](auto& m, const auto& v) { return set_text(child(m, "ImageOptions"), "Subpath", v); }},
};

bool may_stand_alone(std::string_view key) {
  return key == "readonly" || key == "ro" || key == "volume-nocopy" || key == "bind-nonrecursive" ||
         key == "bind-create-src";
}

Result<void> check_mount(const json::object& mount) {
  std::string type(mount.at("Type").as_string());
  static constexpr std::string_view kTypes[] = {"bind", "volume", "tmpfs", "image", "npipe", "cluster"};
  if (!mount.contains("Target")) return fail(Code::InvalidArgument, "target is required");
  if (std::ranges::find(kTypes, type) == std::end(kTypes)) return {};  // the daemon knows its types
  auto refuse = [&](const char* group, std::string_view only) -> Result<void> {
    if (!mount.contains(group) || type == only) return {};
    return fail(Code::InvalidArgument, "cannot mix '{}-*' options with mount type '{}'", only, type);
  };
  TRY(refuse("VolumeOptions", "volume"));
  TRY(refuse("BindOptions", "bind"));
  TRY(refuse("TmpfsOptions", "tmpfs"));
  return refuse("ImageOptions", "image");
}

}  // namespace

Result<json::value> parse_mount(const std::string& text) {
  json::object mount{{"Type", "volume"}};
  for (const std::string& field : TRY(split_csv(text))) {
    auto pair = split_once(field, '=');
    std::string key = to_lower(pair ? pair->first : std::string_view(field));
    if (!pair && !may_stand_alone(key)) {
      return fail(Code::InvalidArgument, "invalid field '{}' must be a key=value pair", field);
    }
    const MountKey* row = std::ranges::find(kKeys, key, &MountKey::name);
    if (row == std::end(kKeys)) return fail(Code::InvalidArgument, "unexpected key '{}' in '{}'", key, field);
    TRY(row->set(mount, std::string(pair ? pair->second : "")));
  }
  TRY(check_mount(mount));
  return mount;
}

VolumeArgument parse_volume(const std::string& text, const std::string& directory) {
  auto parts = split(text, ':');
  if (parts.size() == 1) return {true, text};
  if (parts[0] == "." || parts[0] == ".." || parts[0].starts_with("./") || parts[0].starts_with("../")) {
    std::string source = directory;
    for (const std::string& part : split(parts[0], '/')) {
      if (part == "..")
        source.resize(std::max<size_t>(source.rfind('/') == std::string::npos ? 0 : source.rfind('/'), 1));
      else if (!part.empty() && part != ".")
        source += (source.ends_with('/') ? "" : "/") + part;
    }
    return {false, source + text.substr(parts[0].size())};
  }
  return {false, text};
}

}  // namespace sampan::cli
