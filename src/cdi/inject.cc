#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "cdi/cdi.h"
#include "sys/error.h"

namespace sampan::cdi {

namespace {

void add_env(oci::Spec& spec, const std::vector<std::string>& env) {
  if (!spec.process) spec.process.emplace();
  for (const auto& variable : env) {
    std::string name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(spec.process->env, [&](const std::string& other) { return other.starts_with(name); });
    spec.process->env.push_back(variable);
  }
}

std::string type_of(mode_t mode) {
  if (S_ISCHR(mode)) return "c";
  if (S_ISBLK(mode)) return "b";
  return S_ISFIFO(mode) ? "p" : "";
}

/// What the file leaves open is as on the host.
Result<oci::Device> make_device(const DeviceNode& node, const oci::Process& process) {
  oci::Device out{.path = node.path, .type = node.type, .file_mode = node.file_mode, .uid = node.uid, .gid = node.gid};
  const std::string& source = node.host_path.empty() ? node.path : node.host_path;
  bool numbered = node.type == "p" || (!node.type.empty() && node.major && node.minor);
  if (!numbered) {
    struct stat info;
    if (::stat(source.c_str(), &info) != 0) return sys::sys_error("stat", source);
    std::string type = type_of(info.st_mode);
    if (type.empty()) return fail(Code::InvalidArgument, "\"{}\" is no device", source);
    if (!node.type.empty() && node.type != type && !(node.type == "u" && type == "c"))
      return fail(Code::InvalidArgument, "\"{}\" is of the type {}, not {}", source, type, node.type);
    out.type = type;
    out.major = major(info.st_rdev);
    out.minor = minor(info.st_rdev);
    if (!out.file_mode) out.file_mode = info.st_mode & 07777;
  }
  if (node.major && *node.major > 0) out.major = *node.major;
  if (node.minor && node.major && *node.major > 0) out.minor = *node.minor;
  // A process that is not root's could not open the node otherwise.
  if (!out.uid && process.user.uid > 0) out.uid = process.user.uid;
  if (!out.gid && process.user.gid > 0) out.gid = process.user.gid;
  return out;
}

Result<void> add_node(oci::Spec& spec, const DeviceNode& node) {
  auto device = TRY(make_device(node, *spec.process));
  auto& linux = *spec.linux_;
  std::erase_if(linux.devices, [&](const oci::Device& other) { return other.path == device.path; });
  if (device.type == "b" || device.type == "c" || device.type == "u") {
    if (!linux.resources) linux.resources.emplace();
    linux.resources->devices.push_back({.allow = true,
                                        .type = device.type == "b" ? "b" : "c",
                                        .major = device.major,
                                        .minor = device.minor,
                                        .access = node.permissions.empty() ? "rwm" : node.permissions});
  }
  linux.devices.push_back(std::move(device));
  return {};
}

void add_mount(oci::Spec& spec, const Mount& mount) {
  std::erase_if(spec.mounts, [&](const oci::Mount& other) { return other.destination == mount.container_path; });
  oci::Mount out{.destination = mount.container_path,
                 .type = mount.type.empty() ? "bind" : mount.type,
                 .source = mount.host_path,
                 .options = mount.options};
  auto is_bind = [](const std::string& option) { return option == "bind" || option == "rbind"; };
  if (out.type == "bind" && std::ranges::none_of(out.options, is_bind))
    out.options.insert(out.options.begin(), "rbind");
  spec.mounts.push_back(std::move(out));
}

void add_hook(oci::Spec& spec, const Hook& hook) {
  if (!spec.hooks) spec.hooks.emplace();
  auto& hooks = *spec.hooks;
  const std::pair<const char*, std::vector<oci::Hook>*> lists[] = {{"prestart", &hooks.prestart},
                                                                   {"createRuntime", &hooks.create_runtime},
                                                                   {"createContainer", &hooks.create_container},
                                                                   {"startContainer", &hooks.start_container},
                                                                   {"poststart", &hooks.poststart},
                                                                   {"poststop", &hooks.poststop}};
  for (const auto& [name, list] : lists) {
    if (hook.hook_name == name) list->push_back({hook.path, hook.args, hook.env, hook.timeout});
  }
}

Result<void> apply_edits(oci::Spec& spec, const ContainerEdits& edits) {
  if (edits.intel_rdt) return fail(Code::NotImplemented, "intelRdt is not implemented");
  add_env(spec, edits.env);
  if (!spec.linux_) spec.linux_.emplace();
  for (const auto& node : edits.device_nodes) TRY(add_node(spec, node));
  for (const auto& mount : edits.mounts) add_mount(spec, mount);
  for (const auto& hook : edits.hooks) add_hook(spec, hook);
  auto& groups = spec.process->user.additional_gids;
  for (uint32_t gid : edits.additional_gids) {
    if (gid != 0 && std::ranges::find(groups, gid) == groups.end()) groups.push_back(gid);
  }
  return {};
}

}  // namespace

Result<void> inject(const Catalog& catalog, std::span<const std::string> names, oci::Spec& spec) {
  std::vector<std::string> missing;
  for (const auto& name : names) {
    if (!catalog.devices.contains(name)) missing.push_back(name);
  }
  if (!missing.empty()) return fail(Code::InvalidArgument, "unresolvable CDI devices {}", join(missing, ", "));
  if (!spec.process) spec.process.emplace();
  std::set<size_t> files;
  std::set<std::string> done;
  for (const auto& name : names) {
    if (!done.insert(name).second) continue;
    const auto& entry = catalog.devices.at(name);
    const SpecFile& file = catalog.files[entry.file];
    if (files.insert(entry.file).second) TRY_CONTEXT(apply_edits(spec, file.container_edits), file.path);
    TRY_CONTEXT(apply_edits(spec, file.devices[entry.device].container_edits), fmt::format("{} ({})", name, file.path));
  }
  return {};
}

}  // namespace sampan::cdi
