#include <algorithm>

#include "base/strings.h"
#include "codec/text.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

/// Absolute, without "." and "..", single slashes, no trailing one. Errors: InvalidArgument.
Result<std::string> clean_destination(std::string_view path) {
  if (path.empty() || path[0] != '/') {
    return fail(Code::InvalidArgument, "invalid mount path: '{}' mount path must be absolute", path);
  }
  std::vector<std::string> out;
  for (auto& piece : split(path, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece == "..") {
      if (!out.empty()) out.pop_back();
      continue;
    }
    out.push_back(std::move(piece));
  }
  if (out.empty()) return fail(Code::InvalidArgument, "invalid specification: destination can't be '/'");
  return "/" + join(out, "/");
}

bool is_propagation(std::string_view word) {
  return word == "shared" || word == "rshared" || word == "slave" || word == "rslave" || word == "private" ||
         word == "rprivate";
}

/// The third part of src:dst:options.
Result<void> apply_bind_options(MountPlan& plan, const std::string& text, const std::string& whole) {
  plan.point.mode = text;
  for (const auto& word : split(text, ',')) {
    if (word == "ro" || word == "rw")
      plan.point.rw = word == "rw";
    else if (word == "nocopy" && plan.point.type == "volume")
      plan.no_copy = true;
    else if (is_propagation(word) && plan.point.type == "bind")
      plan.point.propagation = word;
    else if (word == "z" || word == "Z")
      continue;  // SELinux relabelling: this host has no SELinux, as on Docker then
    else if (word == "consistent" || word == "cached" || word == "delegated")
      continue;  // hints for remote file sharing
    else
      return fail(Code::InvalidArgument, "invalid volume specification: '{}': invalid mode: {}", whole, text);
  }
  return {};
}

/// "src:dst[:options]", "name:dst[:options]" or "dst".
Result<MountPlan> parse_bind(const std::string& text) {
  auto parts = split(text, ':');
  if (parts.size() > 3 || text.empty()) return fail(Code::InvalidArgument, "invalid volume specification: '{}'", text);
  MountPlan plan;
  plan.point.type = "volume";
  if (parts.size() == 1) {
    plan.anonymous = true;
    plan.point.destination = TRY_CONTEXT(clean_destination(parts[0]), "invalid volume specification: '" + text + "'");
    return plan;
  }
  if (parts[0].empty()) return fail(Code::InvalidArgument, "invalid volume specification: '{}'", text);
  if (parts[0][0] == '/') {
    plan.point.type = "bind";
    plan.point.source = parts[0];
    plan.point.propagation = "rprivate";
    plan.create_source = true;
  } else {
    if (parts[0].size() < 2 || !is_safe_component(parts[0])) {
      return fail(Code::InvalidArgument,
                  "create {}: \"{}\" includes invalid characters for a local volume name, only "
                  "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. "
                  "If you intended to pass a host directory, use absolute path",
                  parts[0], parts[0]);
    }
    plan.point.name = parts[0];
    plan.point.mode = "z";  // what Docker shows for a named volume without a mode
  }
  plan.point.destination =
      TRY_CONTEXT(clean_destination(parts[1]), "invalid volume specification: '" + text +
                                                   "': invalid mount config for type \"" + plan.point.type + "\"");
  if (parts.size() == 3) TRY(apply_bind_options(plan, parts[2], text));
  return plan;
}

Result<MountPlan> plan_bind_mount(const MountSpec& mount) {
  MountPlan plan;
  if (mount.source.empty()) return fail(Code::InvalidArgument, "field Source must not be empty");
  if (mount.source[0] != '/')
    return fail(Code::InvalidArgument, "invalid mount path: '{}' mount path must be absolute", mount.source);
  plan.point.source = mount.source;
  plan.point.propagation = "rprivate";
  if (const auto& options = mount.bind_options) {
    if (!options->propagation.empty()) {
      if (!is_propagation(options->propagation))
        return fail(Code::InvalidArgument, "invalid propagation mode: {}", options->propagation);
      plan.point.propagation = options->propagation;
    }
    if (options->read_only_non_recursive && options->read_only_force_recursive)
      return fail(Code::InvalidArgument, "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive");
    plan.create_source = options->create_mountpoint;
    plan.non_recursive = options->non_recursive;
    plan.read_only_non_recursive = options->read_only_non_recursive;
  }
  return plan;
}

Result<MountPlan> plan_volume_mount(const MountSpec& mount) {
  MountPlan plan;
  plan.point.name = mount.source;
  plan.point.mode = "z";
  plan.anonymous = mount.source.empty();
  if (!mount.source.empty() && (mount.source.size() < 2 || !is_safe_component(mount.source))) {
    return fail(Code::InvalidArgument, "invalid volume name \"{}\"", mount.source);
  }
  if (const auto& options = mount.volume_options) {
    plan.no_copy = options->no_copy;
    plan.labels = options->labels;
    plan.subpath = options->subpath;
    if (options->driver_config) {
      plan.point.driver = options->driver_config->name;
      plan.driver_options = options->driver_config->options;
    }
  }
  return plan;
}

Result<MountPlan> plan_tmpfs_mount(const MountSpec& mount) {
  MountPlan plan;
  if (!mount.source.empty()) return fail(Code::InvalidArgument, "field Source must not be specified");
  if (const auto& options = mount.tmpfs_options) {
    if (options->size_bytes > 0) plan.tmpfs_options.push_back(fmt::format("size={}", options->size_bytes));
    if (options->mode != 0) plan.tmpfs_options.push_back(fmt::format("mode={:o}", options->mode));
    for (const auto& pair : options->options) plan.tmpfs_options.push_back(join(pair, "="));
  }
  return plan;
}

/// The image is found when the container is created; the record keeps its id.
Result<MountPlan> plan_image_mount(const MountSpec& mount) {
  MountPlan plan;
  if (mount.source.empty()) return fail(Code::InvalidArgument, "field Source must not be empty");
  plan.point.name = mount.source;
  if (mount.image_options) plan.subpath = mount.image_options->subpath;
  if (plan.subpath.starts_with('/'))
    return fail(Code::InvalidArgument, "subpath must be a relative path within the image");
  return plan;
}

/// The options of another type than the mount's own are a mistake, never ignored.
Result<void> check_mount_fields(const MountSpec& mount) {
  const std::string& type = mount.type;
  if (mount.target.empty()) return fail(Code::InvalidArgument, "field Target must not be empty");
  const char* foreign = mount.bind_options && type != "bind"       ? "BindOptions"
                        : mount.volume_options && type != "volume" ? "VolumeOptions"
                        : mount.tmpfs_options && type != "tmpfs"   ? "TmpfsOptions"
                        : mount.image_options && type != "image"   ? "ImageOptions"
                                                                   : nullptr;
  if (foreign) return fail(Code::InvalidArgument, "field {} must not be specified", foreign);
  return {};
}

Result<MountPlan> plan_typed_mount(const MountSpec& mount) {
  MountPlan plan;
  if (mount.type == "bind")
    plan = TRY(plan_bind_mount(mount));
  else if (mount.type == "volume")
    plan = TRY(plan_volume_mount(mount));
  else if (mount.type == "tmpfs")
    plan = TRY(plan_tmpfs_mount(mount));
  else if (mount.type == "image")
    plan = TRY(plan_image_mount(mount));
  else if (mount.type == "npipe" || mount.type == "cluster") {
    return fail(Code::NotImplemented, "mounts of this type are not implemented");
  } else {
    return fail(Code::InvalidArgument, "mount type unknown");
  }
  TRY(check_mount_fields(mount));
  plan.point.type = mount.type;
  plan.point.destination = TRY(clean_destination(mount.target));
  plan.point.rw = !mount.read_only && mount.type != "image";
  return plan;
}

Result<MountPlan> plan_mount_spec(const MountSpec& mount) {
  return TRY_CONTEXT(plan_typed_mount(mount), "invalid mount config for type \"" + mount.type + "\"");
}

Result<void> add_tmpfs(const HostConfig& host, std::vector<MountPlan>& plans) {
  for (const auto& [path, options] : host.tmpfs) {
    MountPlan plan;
    plan.point.type = "tmpfs";
    plan.point.destination = TRY_CONTEXT(clean_destination(path), "invalid mount config for type \"tmpfs\"");
    plan.point.mode = options;
    for (const auto& word : split(options, ',')) {
      if (word == "ro")
        plan.point.rw = false;
      else if (!word.empty() && word != "rw")
        plan.tmpfs_options.push_back(word);
    }
    plans.push_back(std::move(plan));
  }
  return {};
}

void add_unless_there(std::vector<MountPlan>& plans, MountPlan plan) {
  for (const auto& other : plans) {
    if (other.point.destination == plan.point.destination) return;
  }
  plans.push_back(std::move(plan));
}

}  // namespace

Result<std::vector<MountPlan>> plan_mounts(const ContainerConfig& config, const HostConfig& host,
                                           std::span<const MountPoint> volumes_from) {
  std::vector<MountPlan> plans;
  if (host.binds) {
    for (const auto& text : *host.binds) plans.push_back(TRY(parse_bind(text)));
  }
  for (const auto& mount : host.mounts) plans.push_back(TRY(plan_mount_spec(mount)));
  TRY(add_tmpfs(host, plans));
  for (size_t i = 0; i < plans.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (plans[i].point.destination == plans[j].point.destination) {
        return fail(Code::InvalidArgument, "Duplicate mount point: {}", plans[i].point.destination);
      }
    }
  }
  for (const auto& point : volumes_from) {
    MountPlan plan;
    plan.point = point;
    plan.subpath = point.subpath;
    plan.from_other = true;
    add_unless_there(plans, std::move(plan));
  }
  for (const auto& path : config.volumes) {
    MountPlan plan;
    plan.point.type = "volume";
    plan.anonymous = true;
    plan.point.destination = TRY_CONTEXT(clean_destination(path), "invalid volume specification");
    add_unless_there(plans, std::move(plan));
  }
  for (auto& plan : plans) {
    if (plan.point.type == "volume" && plan.point.driver.empty()) plan.point.driver = "local";
  }
  std::ranges::sort(plans, {}, [](const MountPlan& plan) {
    return std::pair(std::ranges::count(plan.point.destination, '/'), plan.point.destination);
  });
  return plans;
}

oci::Mount runtime_mount(const MountPlan& plan) {
  oci::Mount mount;
  mount.destination = plan.point.destination;
  if (plan.point.type == "tmpfs") {
    mount.type = "tmpfs";
    mount.source = "tmpfs";
    mount.options = {"nosuid", "nodev", "noexec"};
    for (const auto& option : plan.tmpfs_options) {
      if (option == "exec" || option == "suid" || option == "dev")
        std::erase(mount.options, "no" + option);
      else
        mount.options.push_back(option);
    }
    if (!plan.point.rw) mount.options.emplace_back("ro");
    return mount;
  }
  mount.type = "bind";
  mount.source = plan.point.source;
  mount.options.emplace_back(plan.non_recursive ? "bind" : "rbind");
  mount.options.push_back(plan.point.propagation.empty() ? "rprivate" : plan.point.propagation);
  // Read-only means what is mounted below, too, as Docker does since 25.0.
  if (!plan.point.rw) mount.options.emplace_back(plan.read_only_non_recursive || plan.non_recursive ? "ro" : "rro");
  return mount;
}

}  // namespace sampan::container
