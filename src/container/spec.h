#pragma once
// container/spec: what a client asked for, in Docker's own words (ContainerConfig, HostConfig, NetworkingConfig).
// Member names are the API's in snake_case; the JSON form is the API's and also the stored one.
// Source: Docker Engine API 1.51, ContainerConfig and HostConfig.

#include <boost/describe/class.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json_style.h"
#include "oci/image.h"

namespace sampan::container {

struct ContainerConfig {
  std::string hostname, domainname, user;
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false;
  std::set<std::string> exposed_ports;  // "80/tcp"
  bool tty = false, open_stdin = false, stdin_once = false;
  std::vector<std::string> env;
  std::optional<std::vector<std::string>> cmd;
  std::optional<oci::HealthConfig> healthcheck;
  bool args_escaped = false;
  std::string image;
  std::set<std::string> volumes;
  std::string working_dir;
  std::optional<std::vector<std::string>> entrypoint;
  bool network_disabled = false;
  std::string mac_address;
  std::optional<std::vector<std::string>> on_build;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<int64_t> stop_timeout;  // seconds
  std::optional<std::vector<std::string>> shell;
};

struct LogConfig {
  std::string type;
  std::map<std::string, std::string> config;
};
struct PortBinding {
  std::string host_ip, host_port;
  auto operator<=>(const PortBinding&) const = default;
};
struct RestartPolicy {
  std::string name;  // "", "no", "always", "unless-stopped", "on-failure"
  int64_t maximum_retry_count = 0;
};
struct BindOptions {
  std::string propagation;
  bool non_recursive = false, create_mountpoint = false, read_only_non_recursive = false,
       read_only_force_recursive = false;
};
struct VolumeDriverConfig {
  std::string name;
  std::map<std::string, std::string> options;
};
struct VolumeOptions {
  bool no_copy = false;
  std::map<std::string, std::string> labels;
  std::optional<VolumeDriverConfig> driver_config;
  std::string subpath;
};
struct TmpfsOptions {
  int64_t size_bytes = 0;
  uint32_t mode = 0;
  std::vector<std::vector<std::string>> options;
};
struct ImageMountOptions {
  std::string subpath;
};
struct MountSpec {
  std::string type, source, target;
  bool read_only = false;
  std::string consistency;
  std::optional<BindOptions> bind_options;
  std::optional<VolumeOptions> volume_options;
  std::optional<TmpfsOptions> tmpfs_options;
  std::optional<ImageMountOptions> image_options;
};
struct WeightDeviceSpec {
  std::string path;
  uint16_t weight = 0;
};
struct ThrottleDeviceSpec {
  std::string path;
  uint64_t rate = 0;
};
struct DeviceMapping {
  std::string path_on_host, path_in_container, cgroup_permissions;
};
struct DeviceRequest {
  std::string driver;
  int64_t count = 0;
  std::vector<std::string> device_ids;
  std::vector<std::vector<std::string>> capabilities;
  std::map<std::string, std::string> options;
};
struct Ulimit {
  std::string name;
  int64_t hard = 0, soft = 0;
};
/// The part of HostConfig that update can change while the container runs.
struct Resources {
  int64_t cpu_shares = 0;
  int64_t memory = 0;
  std::string cgroup_parent;
  uint16_t blkio_weight = 0;
  std::optional<std::vector<WeightDeviceSpec>> blkio_weight_device;
  std::optional<std::vector<ThrottleDeviceSpec>> blkio_device_read_bps, blkio_device_write_bps, blkio_device_read_iops,
      blkio_device_write_iops;
  int64_t cpu_period = 0, cpu_quota = 0, cpu_realtime_period = 0, cpu_realtime_runtime = 0;
  std::string cpuset_cpus, cpuset_mems;
  std::optional<std::vector<DeviceMapping>> devices;
  std::optional<std::vector<std::string>> device_cgroup_rules;
  std::optional<std::vector<DeviceRequest>> device_requests;
  int64_t memory_reservation = 0, memory_swap = 0;
  std::optional<int64_t> memory_swappiness;
  int64_t nano_cpus = 0;
  std::optional<bool> oom_kill_disable;
  std::optional<bool> init;
  std::optional<int64_t> pids_limit;
  std::optional<std::vector<Ulimit>> ulimits;
  int64_t cpu_count = 0, cpu_percent = 0, io_maximum_iops = 0, io_maximum_bandwidth = 0;
};
struct HostConfig : Resources {
  std::optional<std::vector<std::string>> binds;
  std::string container_id_file;
  LogConfig log_config;
  std::string network_mode;
  std::map<std::string, std::optional<std::vector<PortBinding>>> port_bindings;
  RestartPolicy restart_policy;
  bool auto_remove = false;
  std::string volume_driver;
  std::optional<std::vector<std::string>> volumes_from;
  std::vector<MountSpec> mounts;
  std::vector<uint32_t> console_size;
  std::map<std::string, std::string> annotations;
  std::optional<std::vector<std::string>> cap_add, cap_drop;
  std::string cgroupns_mode;
  std::vector<std::string> dns, dns_options, dns_search;
  std::optional<std::vector<std::string>> extra_hosts;
  std::optional<std::vector<std::string>> group_add;
  std::string ipc_mode;
  std::string cgroup;
  std::optional<std::vector<std::string>> links;
  int64_t oom_score_adj = 0;
  std::string pid_mode;
  bool privileged = false, publish_all_ports = false, readonly_rootfs = false;
  std::optional<std::vector<std::string>> security_opt;
  std::map<std::string, std::string> storage_opt;
  std::map<std::string, std::string> tmpfs;
  std::string uts_mode, userns_mode;
  int64_t shm_size = 0;
  std::map<std::string, std::string> sysctls;
  std::string runtime, isolation;
  std::optional<std::vector<std::string>> masked_paths, readonly_paths;  // null: the defaults
};

struct EndpointIpamConfig {
  std::string ipv4_address, ipv6_address;
  std::vector<std::string> link_local_ips;
};
struct EndpointSettings {
  std::optional<EndpointIpamConfig> ipam_config;
  std::optional<std::vector<std::string>> links, aliases;
  std::string mac_address;
  std::optional<std::map<std::string, std::string>> driver_opts;
  int64_t gw_priority = 0;
  std::string network_id, endpoint_id, gateway, ip_address;
  int64_t ip_prefix_len = 0;
  std::string ipv6_gateway, global_ipv6_address;
  int64_t global_ipv6_prefix_len = 0;
  std::optional<std::vector<std::string>> dns_names;
};
struct NetworkingConfig {
  std::map<std::string, EndpointSettings> endpoints_config;
};

/// Everything that POST /containers/create carries.
struct ContainerSpec {
  std::string name;  // without the leading slash; empty: the engine picks one
  std::string platform;
  ContainerConfig config;
  HostConfig host_config;
  NetworkingConfig networking_config;
};

/// The body of create: ContainerConfig's members at the top level, with HostConfig and NetworkingConfig beside them.
/// Errors: InvalidArgument naming the member.
Result<ContainerSpec> parse_container_spec(std::string_view json);
/// Resources and RestartPolicy, the body of update: the members that are present are set in `host`.
Result<void> merge_update(std::string_view json, HostConfig& host);
std::string format_config(const ContainerConfig& config);
std::string format_host_config(const HostConfig& config);

BOOST_DESCRIBE_STRUCT(ContainerConfig, (),
                      (hostname, domainname, user, attach_stdin, attach_stdout, attach_stderr, exposed_ports, tty,
                       open_stdin, stdin_once, env, cmd, healthcheck, args_escaped, image, volumes, working_dir,
                       entrypoint, network_disabled, mac_address, on_build, labels, stop_signal, stop_timeout, shell))
BOOST_DESCRIBE_STRUCT(LogConfig, (), (type, config))
BOOST_DESCRIBE_STRUCT(PortBinding, (), (host_ip, host_port))
BOOST_DESCRIBE_STRUCT(RestartPolicy, (), (name, maximum_retry_count))
BOOST_DESCRIBE_STRUCT(BindOptions, (),
                      (propagation, non_recursive, create_mountpoint, read_only_non_recursive,
                       read_only_force_recursive))
BOOST_DESCRIBE_STRUCT(VolumeDriverConfig, (), (name, options))
BOOST_DESCRIBE_STRUCT(VolumeOptions, (), (no_copy, labels, driver_config, subpath))
BOOST_DESCRIBE_STRUCT(TmpfsOptions, (), (size_bytes, mode, options))
BOOST_DESCRIBE_STRUCT(ImageMountOptions, (), (subpath))
BOOST_DESCRIBE_STRUCT(MountSpec, (),
                      (type, source, target, read_only, consistency, bind_options, volume_options, tmpfs_options,
                       image_options))
BOOST_DESCRIBE_STRUCT(WeightDeviceSpec, (), (path, weight))
BOOST_DESCRIBE_STRUCT(ThrottleDeviceSpec, (), (path, rate))
BOOST_DESCRIBE_STRUCT(DeviceMapping, (), (path_on_host, path_in_container, cgroup_permissions))
BOOST_DESCRIBE_STRUCT(DeviceRequest, (), (driver, count, device_ids, capabilities, options))
BOOST_DESCRIBE_STRUCT(Ulimit, (), (name, hard, soft))
BOOST_DESCRIBE_STRUCT(Resources, (),
                      (cpu_shares, memory, cgroup_parent, blkio_weight, blkio_weight_device, blkio_device_read_bps,
                       blkio_device_write_bps, blkio_device_read_iops, blkio_device_write_iops, cpu_period, cpu_quota,
                       cpu_realtime_period, cpu_realtime_runtime, cpuset_cpus, cpuset_mems, devices,
                       device_cgroup_rules, device_requests, memory_reservation, memory_swap, memory_swappiness,
                       nano_cpus, oom_kill_disable, init, pids_limit, ulimits, cpu_count, cpu_percent, io_maximum_iops,
                       io_maximum_bandwidth))
BOOST_DESCRIBE_STRUCT(HostConfig, (Resources),
                      (binds, container_id_file, log_config, network_mode, port_bindings, restart_policy, auto_remove,
                       volume_driver, volumes_from, mounts, console_size, annotations, cap_add, cap_drop, cgroupns_mode,
                       dns, dns_options, dns_search, extra_hosts, group_add, ipc_mode, cgroup, links, oom_score_adj,
                       pid_mode, privileged, publish_all_ports, readonly_rootfs, security_opt, storage_opt, tmpfs,
                       uts_mode, userns_mode, shm_size, sysctls, runtime, isolation, masked_paths, readonly_paths))
BOOST_DESCRIBE_STRUCT(EndpointIpamConfig, (), (ipv4_address, ipv6_address, link_local_ips))
BOOST_DESCRIBE_STRUCT(EndpointSettings, (),
                      (ipam_config, links, aliases, mac_address, driver_opts, gw_priority, network_id, endpoint_id,
                       gateway, ip_address, ip_prefix_len, ipv6_gateway, global_ipv6_address, global_ipv6_prefix_len,
                       dns_names))
BOOST_DESCRIBE_STRUCT(NetworkingConfig, (), (endpoints_config))

namespace internal {
inline constexpr codec::JsonName kSpecNames[] = {{"args_escaped", "ArgsEscaped"},
                                                 {"container_id_file", "ContainerIDFile"},
                                                 {"uts_mode", "UTSMode"},
                                                 {"device_ids", "DeviceIDs"},
                                                 {"io_maximum_iops", "IOMaximumIOps"},
                                                 {"io_maximum_bandwidth", "IOMaximumBandwidth"},
                                                 {"blkio_device_read_iops", "BlkioDeviceReadIOps"},
                                                 {"blkio_device_write_iops", "BlkioDeviceWriteIOps"},
                                                 {"ipam_config", "IPAMConfig"},
                                                 {"ipv4_address", "IPv4Address"},
                                                 {"ipv6_address", "IPv6Address"},
                                                 {"link_local_ips", "LinkLocalIPs"},
                                                 {"network_id", "NetworkID"},
                                                 {"endpoint_id", "EndpointID"},
                                                 {"ip_address", "IPAddress"},
                                                 {"ip_prefix_len", "IPPrefixLen"},
                                                 {"ipv6_gateway", "IPv6Gateway"},
                                                 {"global_ipv6_address", "GlobalIPv6Address"},
                                                 {"global_ipv6_prefix_len", "GlobalIPv6PrefixLen"},
                                                 {"dns_names", "DNSNames"},
                                                 {"cpu_realtime_period", "CpuRealtimePeriod"}};
}  // namespace internal
template <typename T>
constexpr codec::JsonStyle json_style(const T*) {
  return {codec::Naming::Pascal, codec::Emit::All, internal::kSpecNames};
}

}  // namespace sampan::container
