#include "api/internal/create_versions.h"

#include "base/strings.h"

namespace sampan::api {

namespace {

constexpr Version k142{1, 42}, k143{1, 43}, k144{1, 44}, k145{1, 45}, k146{1, 46}, k148{1, 48};

Result<void> refuse_newer(bool said, const char* what, const char* since) {
  if (!said) return {};
  return fail(Code::InvalidArgument, "{} needs API v{} or newer", what, since);
}

/// What decides where files come from, or whether they can be written to, is never dropped in silence.
Result<void> check_mount(const container::MountSpec& mount, Version version) {
  const auto& bind = mount.bind_options;
  const auto& volume = mount.volume_options;
  const auto& tmpfs = mount.tmpfs_options;
  if (version < k144)
    TRY(refuse_newer(bind && bind->read_only_force_recursive, "BindOptions.ReadOnlyForceRecursive", "1.44"));
  if (version < k145) TRY(refuse_newer(volume && !volume->subpath.empty(), "VolumeOptions.Subpath", "1.45"));
  if (version < k146) TRY(refuse_newer(tmpfs && !tmpfs->options.empty(), "TmpfsOptions.Options", "1.46"));
  if (version < k148) TRY(refuse_newer(mount.type == "image", "a mount of type image", "1.48"));
  return {};
}

void fit_mount(container::MountSpec& mount, Version version) {
  auto& bind = mount.bind_options;
  if (!bind) return;
  if (version < k144) bind->read_only_non_recursive = false;
  if (version < k142) bind->create_mountpoint = false;
}

Result<void> check_endpoints(const container::ContainerSpec& spec, Version version) {
  const auto& endpoints = spec.networking_config.endpoints_config;
  if (version >= k144 || endpoints.size() <= 1) return {};
  std::vector<std::string> names;
  for (const auto& [network, settings] : endpoints) names.push_back(network);
  return fail(Code::InvalidArgument, "Container cannot be connected to network endpoints: {}", join(names, ", "));
}

/// The address of the container's own network, which since 1.44 is its endpoint's.
Result<void> fit_mac_address(container::ContainerSpec& spec, Version version, std::vector<std::string>& warnings) {
  const std::string& mac = spec.config.mac_address;
  auto& endpoints = spec.networking_config.endpoints_config;
  if (version < k144 && mac.empty()) {
    for (auto& [name, settings] : endpoints) settings.mac_address.clear();
  }
  if (mac.empty()) return {};
  const std::string& mode = spec.host_config.network_mode;
  if (auto own = endpoints.find(mode.empty() ? "default" : mode); own != endpoints.end()) {
    const std::string& other = own->second.mac_address;
    if (!other.empty() && other != mac)
      return fail(
          Code::InvalidArgument,
          "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or "
          "be left empty");
  }
  if (version < k144) return {};
  warnings.emplace_back(
      "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.");
  return {};
}

}  // namespace

Result<std::vector<std::string>> fit_to_version(container::ContainerSpec& spec, Version version) {
  std::vector<std::string> warnings;
  auto& host = spec.host_config;
  for (auto& mount : host.mounts) {
    TRY(check_mount(mount, version));
    fit_mount(mount, version);
  }
  TRY(check_endpoints(spec, version));
  TRY(fit_mac_address(spec, version, warnings));
  if (version < k142) host.console_size.clear();
  if (version < k143) host.annotations.clear();
  if (version < k144 && spec.config.healthcheck) spec.config.healthcheck->start_interval = 0;
  if (version < k148) {
    for (auto& [name, settings] : spec.networking_config.endpoints_config) settings.gw_priority = 0;
  }
  return warnings;
}

}  // namespace sampan::api
