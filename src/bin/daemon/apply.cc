// Settings, as the parts of the daemon take them.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/strings.h"
#include "cdi/cdi.h"
#include "codec/sha256.h"
#include "container/plan.h"
#include "daemon/serve.h"
#include "daemon/start.h"
#include "daemon/user_mappings.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::daemon {

namespace {

std::string program_directory() {
  auto self = sys::read_link("/proc/self/exe");
  if (!self) return "";
  return self->substr(0, self->rfind('/'));
}

/// "" for the daemon with the default roots; others on the host get names of their own for links, tables and cgroups.
std::string instance_name(const Settings& settings) {
  if (settings.data_root == kDefaultDataRoot && settings.exec_root == kDefaultExecRoot) return "";
  return codec::sha256_hex(settings.exec_root).substr(0, 6);
}

std::string without_password(const std::string& url) {
  size_t at = url.rfind('@'), scheme = url.find("://");
  if (at == std::string::npos) return url;
  return url.substr(0, scheme == std::string::npos ? 0 : scheme + 3) + "xxxxx:xxxxx" + url.substr(at);
}

Result<std::string> read_profile(const std::string& name) {
  if (name.empty() || name == "builtin") return std::string();
  if (name == "unconfined") return name;
  return TRY_CONTEXT(sys::read_file(name, 1 << 20), "opening seccomp profile (" + name + ")");
}

/// What no container could be made with is an error of the start, not of the first container.
Result<void> check_defaults(const engine::ContainerDefaults& defaults) {
  container::ContainerRecord probe;
  probe.host_config.log_config = defaults.log;
  if (defaults.log.type != "none")
    TRY_CONTEXT(container::plan_log(probe, "/dev/null"), "log-driver " + defaults.log.type);
  if (defaults.seccomp.empty()) return {};
  probe.host_config.security_opt = {"seccomp=" + defaults.seccomp};
  TRY(container::make_seccomp(probe));
  return {};
}

Result<engine::ContainerDefaults> container_defaults(const Settings& settings) {
  engine::ContainerDefaults out;
  out.log = {settings.log_driver, settings.log_opts};
  for (const auto& [name, limit] : settings.default_ulimits) out.ulimits.push_back({name, limit.hard, limit.soft});
  out.shm_size = settings.default_shm_size.bytes;
  out.ipc_mode = settings.default_ipc_mode;
  out.cgroupns_mode = settings.default_cgroupns_mode;
  out.cgroup_parent = settings.cgroup_parent;
  if (settings.bridge == "none") out.network_mode = "none";
  out.seccomp = TRY(read_profile(settings.seccomp_profile));
  out.init = settings.init;
  out.no_new_privileges = settings.no_new_privileges;
  out.dns_options = settings.dns_opts;
  out.dns_search = settings.dns_search;
  TRY(check_defaults(out));
  return out;
}

network::NetworksOptions network_options(const Settings& settings) {
  network::NetworksOptions out;
  auto& bridge = out.bridge_options;
  if (settings.mtu > 0) bridge["com.docker.network.driver.mtu"] = std::to_string(settings.mtu);
  if (!settings.ip.empty()) bridge["com.docker.network.bridge.host_binding_ipv4"] = settings.ip;
  if (!settings.icc) bridge["com.docker.network.bridge.enable_icc"] = "false";
  if (!settings.ip_masq) bridge["com.docker.network.bridge.enable_ip_masquerade"] = "false";
  out.bridge_range = settings.fixed_cidr;
  out.bridge_gateway = settings.default_gateway;
  out.no_bridge = settings.bridge == "none";
  for (const auto& pool : settings.default_address_pools) out.pools.push_back({pool.base, static_cast<int>(pool.size)});
  if (auto found = settings.default_network_opts.find("bridge"); found != settings.default_network_opts.end()) {
    out.network_options = found->second;
  }
  return out;
}

}  // namespace

Result<engine::EngineOptions> engine_options(const Settings& settings) {
  engine::EngineOptions out;
  out.data_root = settings.data_root;
  out.exec_root = settings.exec_root;
  std::string directory = program_directory();
  out.shim_program = settings.shim.empty() ? directory + "/sampan-shim" : settings.shim;
  if (::access(out.shim_program.c_str(), X_OK) != 0) return sys::sys_error("find sampan-shim", out.shim_program);
  out.init_program = settings.init_path;
  if (out.init_program.empty() && sys::path_exists(directory + "/sampan-init"))
    out.init_program = directory + "/sampan-init";
  if (sys::path_exists(directory + "/sampan-logger")) out.logger_program = directory + "/sampan-logger";
  out.instance = instance_name(settings);
  out.cgroup_parent = out.instance.empty() ? "/sampan" : "/sampan-" + out.instance;
  out.bridge_address = settings.bip;
  out.certs_dir = settings.certs_dir;
  out.insecure_registries.insert(settings.insecure_registries.begin(), settings.insecure_registries.end());
  out.dns = settings.dns;
  out.cdi_spec_dirs = settings.cdi_spec_dirs;
  if (out.cdi_spec_dirs.empty()) out.cdi_spec_dirs.assign(std::begin(cdi::kDefaultDirs), std::end(cdi::kDefaultDirs));
  out.host_gateways = settings.host_gateway_ips;
  if (!settings.host_gateway_ip.empty()) out.host_gateways.push_back(settings.host_gateway_ip);
  out.experimental = settings.experimental;
  out.defaults = TRY(container_defaults(settings));
  out.user_mappings = TRY(find_user_mappings(settings.userns_remap));
  out.network = network_options(settings);
  return out;
}

registry::ClientOptions registry_options(const Settings& settings) {
  registry::ClientOptions out;
  out.insecure_registries.insert(settings.insecure_registries.begin(), settings.insecure_registries.end());
  if (!settings.certs_dir.empty()) out.certs_dir = settings.certs_dir;
  out.mirrors = settings.registry_mirrors;
  // Docker counts the attempts of a download, the first one among them; 0 is its default.
  if (settings.max_download_attempts > 0) out.max_attempts = static_cast<int>(settings.max_download_attempts);
  if (settings.max_concurrent_downloads > 0) out.max_downloads = static_cast<int>(settings.max_concurrent_downloads);
  return out;
}

api::ApiOptions api_options(const engine::Engine& engine, const Settings& settings, const std::string& engine_id) {
  api::ApiOptions out;
  out.debug = settings.debug;
  out.engine_id = engine_id;
  out.init_program = engine.options().init_program;
  out.labels = settings.labels;
  out.generic_resources = settings.node_generic_resources;
  out.live_restore = settings.live_restore;
  out.log_driver = settings.log_driver;
  out.default_runtime = settings.default_runtime;
  out.http_proxy = without_password(settings.http_proxy);
  out.https_proxy = without_password(settings.https_proxy);
  out.no_proxy = settings.no_proxy;
  out.registry_mirrors = settings.registry_mirrors;
  out.insecure_registries = settings.insecure_registries;
  for (const auto& pool : settings.default_address_pools) out.address_pools.emplace_back(pool.base, pool.size);
  return out;
}

void set_log_level(const Settings& settings) {
  std::string level = settings.log_level == "fatal" ? "critical" : settings.log_level;
  spdlog::default_logger()->set_level(settings.debug ? spdlog::level::debug : spdlog::level::from_str(level));
}

Result<void> set_oom_score(const Settings& settings) {
  if (settings.oom_score_adjust == 0) return {};  // as the daemon was started
  auto written = sys::write_kernel_file("/proc/self/oom_score_adj", std::to_string(settings.oom_score_adjust));
  if (written) return written;
  return std::move(written).error().context("oom-score-adjust");
}

void use_proxies(const Settings& settings) {
  auto set = [](const char* name, const std::string& value) {
    if (!value.empty()) (void)::setenv(name, value.c_str(), 1);  // fails only without memory
  };
  set("http_proxy", settings.http_proxy);  // curl takes HTTP_PROXY for something that a web server could have set
  set("https_proxy", settings.https_proxy);
  set("no_proxy", settings.no_proxy);
}

}  // namespace sampan::daemon
