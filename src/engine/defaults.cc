#include "engine/defaults.h"

#include <algorithm>

namespace sampan::engine {

namespace {

template <typename T>
void fill(T& value, const T& fallback) {
  if (value == T{}) value = fallback;
}

bool names_option(const std::vector<std::string>& options, std::string_view name) {
  return std::ranges::any_of(options, [&](const std::string& option) {
    return option == name || (option.starts_with(name) && (option[name.size()] == '=' || option[name.size()] == ':'));
  });
}

void fill_security(const ContainerDefaults& defaults, container::HostConfig& host) {
  std::vector<std::string> options = host.security_opt.value_or(std::vector<std::string>());
  size_t before = options.size();
  if (defaults.no_new_privileges && !names_option(options, "no-new-privileges")) {
    options.emplace_back("no-new-privileges");
  }
  if (!defaults.seccomp.empty() && !host.privileged && !names_option(options, "seccomp")) {
    options.push_back("seccomp=" + defaults.seccomp);
  }
  if (options.size() != before) host.security_opt = std::move(options);
}

void fill_ulimits(const ContainerDefaults& defaults, container::HostConfig& host) {
  if (defaults.ulimits.empty()) return;
  std::vector<container::Ulimit> limits = host.ulimits.value_or(std::vector<container::Ulimit>());
  for (const auto& limit : defaults.ulimits) {
    auto same = [&](const container::Ulimit& other) { return other.name == limit.name; };
    if (std::ranges::none_of(limits, same)) limits.push_back(limit);
  }
  host.ulimits = std::move(limits);
}

}  // namespace

void apply_defaults(const ContainerDefaults& defaults, container::ContainerSpec& spec) {
  auto& host = spec.host_config;
  if (host.log_config.type.empty() && !defaults.log.type.empty()) host.log_config.type = defaults.log.type;
  if (host.log_config.type == defaults.log.type) {  // an option that is said wins over the same one of the daemon
    host.log_config.config.insert(defaults.log.config.begin(), defaults.log.config.end());
  }
  fill_ulimits(defaults, host);
  const bool default_network = host.network_mode.empty() || host.network_mode == "default";
  if (default_network && !defaults.network_mode.empty()) host.network_mode = defaults.network_mode;
  fill(host.shm_size, defaults.shm_size);
  fill(host.ipc_mode, defaults.ipc_mode);
  if (!host.privileged) fill(host.cgroupns_mode, defaults.cgroupns_mode);
  fill(host.cgroup_parent, defaults.cgroup_parent);
  fill(host.dns_options, defaults.dns_options);
  fill(host.dns_search, defaults.dns_search);
  if (defaults.init && !host.init) host.init = true;
  fill_security(defaults, host);
}

}  // namespace sampan::engine
