#pragma once
// daemon/settings: everything that flags and daemon.json can say to sampand, as values; what nobody said is the
// default.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sampan::daemon {

inline constexpr const char* kDefaultDataRoot = "/var/lib/sampan";
inline constexpr const char* kDefaultExecRoot = "/run/sampan";
inline constexpr const char* kDefaultConfigFile = "/etc/sampan/daemon.json";

/// A number of bytes that may be written with a unit: 64m.
struct ByteSize {
  int64_t bytes = 0;
  bool operator==(const ByteSize&) const = default;
};
struct UlimitSetting {
  std::string name;
  int64_t soft = 0, hard = 0;
  bool operator==(const UlimitSetting&) const = default;
};
/// Subnets of `size` bits are cut out of `base`.
struct PoolSetting {
  std::string base;
  int64_t size = 0;
  bool operator==(const PoolSetting&) const = default;
};

using Texts = std::vector<std::string>;
using TextMap = std::map<std::string, std::string>;
using SwitchMap = std::map<std::string, bool>;
using UlimitMap = std::map<std::string, UlimitSetting>;
using Pools = std::vector<PoolSetting>;
/// Options of new networks, by driver.
using NetworkDefaults = std::map<std::string, TextMap>;

struct Settings {
  // where things are
  std::string data_root = kDefaultDataRoot, exec_root = kDefaultExecRoot;
  std::string pidfile, init_path, shim, certs_dir;
  // who may speak to the daemon
  Texts hosts;
  std::string group;
  bool tls = false, tlsverify = false;
  std::string tlscacert = "/etc/sampan/ca.pem", tlscert = "/etc/sampan/cert.pem", tlskey = "/etc/sampan/key.pem";
  // what it tells
  bool debug = false;
  std::string log_level = "info";
  Texts labels;
  // registries
  Texts registry_mirrors, insecure_registries;
  int64_t max_concurrent_downloads = 3, max_download_attempts = 5;
  std::string http_proxy, https_proxy, no_proxy;
  // what containers get that do not ask
  std::string log_driver = "json-file";
  TextMap log_opts;
  UlimitMap default_ulimits;
  ByteSize default_shm_size{64 << 20};
  std::string default_ipc_mode, default_cgroupns_mode, default_runtime = "runc", cgroup_parent;
  std::string seccomp_profile = "builtin", userns_remap;
  bool init = false, no_new_privileges = false;
  Texts dns, dns_opts, dns_search;
  Texts cdi_spec_dirs;
  // networks
  std::string bip, fixed_cidr, ip;
  int64_t mtu = 0;
  std::string bridge, default_gateway, host_gateway_ip;
  Texts host_gateway_ips;
  bool icc = true, ip_masq = true;
  Pools default_address_pools;
  NetworkDefaults default_network_opts;
  // facts that have one possible value here
  std::string storage_driver = "overlay2", firewall_backend = "nftables", log_format = "text";
  Texts exec_opts;
  SwitchMap features;
  bool raw_logs = true, iptables = true, ip6tables = false, ip_forward = true, userland_proxy = false;
  bool ipv6 = false, experimental = false, selinux_enabled = false;

  // the daemon as a process
  bool live_restore = true;
  int64_t shutdown_timeout = 10;  // seconds
  int64_t oom_score_adjust = 0;
  Texts node_generic_resources;
};

}  // namespace sampan::daemon
