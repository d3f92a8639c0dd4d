#include <algorithm>

#include "base/strings.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

constexpr int64_t kMinMemory = 6 << 20;
constexpr int64_t kMaxHostname = 64;

/// What a field may be; a set one that has no effect on this engine is refused by name, never ignored.
Result<void> refuse_unsupported(const HostConfig& host) {
  struct Refusal {
    bool set;
    const char* field;
  };
  const Refusal refusals[] = {
      {!host.cgroup.empty(), "Cgroup"},
  };
  for (const auto& refusal : refusals) {
    if (refusal.set) return fail(Code::NotImplemented, "HostConfig.{} is not implemented", refusal.field);
  }
  if (host.io_maximum_iops != 0 || host.io_maximum_bandwidth != 0) {
    return fail(Code::InvalidArgument, "Invalid QoS settings: linux does not support configuration of maximum {}",
                host.io_maximum_bandwidth != 0 ? "bandwidth" : "IOPs");
  }
  if (!host.isolation.empty() && host.isolation != "default") {
    return fail(Code::InvalidArgument, "Invalid isolation: \"{}\" - linux only supports 'default'", host.isolation);
  }
  for (const auto& [name, value] : host.storage_opt) {
    if (to_lower(name) != "size") return fail(Code::InvalidArgument, "Unknown option {}", name);
    return fail(Code::InvalidArgument, "--storage-opt size={} needs project quotas, which are not implemented", value);
  }
  if (!host.volume_driver.empty() && host.volume_driver != "local") {
    return fail(Code::InvalidArgument, "error looking up volume plugin {}: plugin \"{}\" not found", host.volume_driver,
                host.volume_driver);
  }
  if (!host.runtime.empty() && host.runtime != "runc" && host.runtime != "sampan" &&
      host.runtime != "io.containerd.runc.v2") {
    return fail(Code::InvalidArgument, "unknown or invalid runtime name: {}", host.runtime);
  }
  return {};
}

Result<void> validate_cpuset(const std::string& text, uint32_t cpus, const char* field) {
  if (text.empty()) return {};
  auto bad = [&] {
    return fail(Code::InvalidArgument, "Invalid value {} for cpuset {}: invalid format: {}", text, field, text);
  };
  for (const auto& piece : split(text, ',')) {
    auto range = split_once(piece, '-');
    auto first = parse_uint(range ? range->first : std::string_view(piece));
    auto last = range ? parse_uint(range->second) : first;
    if (!first || !last || *last < *first || *last > 8191) return bad();
    if (std::string_view(field) == "cpus" && *last >= cpus) {
      return fail(Code::InvalidArgument, "Requested CPUs are not available - requested {}, available: 0-{}", text,
                  cpus - 1);
    }
  }
  return {};
}

Result<void> validate_nodes(const std::string& text, uint32_t nodes) {
  for (const auto& piece : split(text, ',')) {
    auto last = parse_uint(piece.substr(piece.find('-') + 1));
    if (nodes == 0 || !last || *last < nodes) continue;
    return fail(Code::InvalidArgument, "Requested memory nodes are not available - requested {}, available: {}", text,
                nodes == 1 ? "0" : fmt::format("0-{}", nodes - 1));
  }
  return {};
}

Result<void> validate_memory(const Resources& r) {
  if (r.memory != 0 && r.memory < kMinMemory) {
    return fail(Code::InvalidArgument, "Minimum memory limit allowed is 6MB");
  }
  if (r.memory_swap > 0 && r.memory == 0) {
    return fail(Code::InvalidArgument, "You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (r.memory_swap > 0 && r.memory_swap < r.memory) {
    return fail(Code::InvalidArgument, "Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (r.memory_reservation != 0 && r.memory_reservation < kMinMemory) {
    return fail(Code::InvalidArgument, "Minimum memory reservation allowed is 6MB");
  }
  if (r.memory > 0 && r.memory_reservation > r.memory) {
    return fail(Code::InvalidArgument, "Minimum memory limit can not be less than memory reservation limit, see usage");
  }
  if (r.memory_swappiness && (*r.memory_swappiness < -1 || *r.memory_swappiness > 100)) {
    return fail(Code::InvalidArgument, "Invalid value: {}, valid memory swappiness range is 0-100",
                *r.memory_swappiness);
  }
  return {};
}

Result<void> validate_cpu(const Resources& r, uint32_t cpus) {
  if (r.nano_cpus > 0 && (r.cpu_period > 0 || r.cpu_quota > 0)) {
    return fail(Code::InvalidArgument, "Conflicting options: Nano CPUs and CPU {} cannot both be set",
                r.cpu_period > 0 ? "Period" : "Quota");
  }
  if (r.nano_cpus < 0 || r.nano_cpus > static_cast<int64_t>(cpus) * 1'000'000'000) {
    return fail(Code::InvalidArgument, "Range of CPUs is from 0.01 to {}.00, as there are only {} CPUs available", cpus,
                cpus);
  }
  if (r.cpu_shares < 0)
    return fail(Code::InvalidArgument, "invalid CPU shares ({}): value must be a positive integer", r.cpu_shares);
  if (r.cpu_period != 0 && (r.cpu_period < 1000 || r.cpu_period > 1'000'000)) {
    return fail(Code::InvalidArgument,
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (r.cpu_quota > 0 && r.cpu_quota < 1000) {
    return fail(Code::InvalidArgument, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
  }
  TRY(validate_cpuset(r.cpuset_cpus, cpus, "cpus"));
  return validate_cpuset(r.cpuset_mems, cpus, "mems");
}

Result<void> validate_name(const std::string& name) {
  if (name.size() < 2 || !is_safe_component(name)) {
    return fail(Code::InvalidArgument, "Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
  }
  return {};
}

Result<void> validate_restart(const HostConfig& host) {
  const auto& policy = host.restart_policy;
  const bool known = policy.name.empty() || policy.name == "no" || policy.name == "always" ||
                     policy.name == "unless-stopped" || policy.name == "on-failure";
  if (!known)
    return fail(
        Code::InvalidArgument,
        "invalid restart policy: unknown policy '{}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
        policy.name);
  if (policy.maximum_retry_count != 0 && policy.name != "on-failure") {
    return fail(Code::InvalidArgument,
                "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (policy.maximum_retry_count < 0) {
    return fail(Code::InvalidArgument, "invalid restart policy: maximum retry count cannot be negative");
  }
  if (host.auto_remove && !policy.name.empty() && policy.name != "no") {
    return fail(Code::InvalidArgument, "can't create 'AutoRemove' container with restart policy");
  }
  return {};
}

Result<void> validate_health(const std::optional<oci::HealthConfig>& health) {
  if (!health) return {};
  struct Duration {
    int64_t value;
    const char* name;
  };
  for (const auto& d :
       {Duration{health->interval, "Interval"}, Duration{health->timeout, "Timeout"},
        Duration{health->start_period, "StartPeriod"}, Duration{health->start_interval, "StartInterval"}}) {
    if (d.value != 0 && d.value < 1'000'000) {
      return fail(Code::InvalidArgument, "{} in Healthcheck cannot be less than 1ms", d.name);
    }
  }
  if (health->retries < 0) return fail(Code::InvalidArgument, "Retries in Healthcheck cannot be negative");
  return {};
}

Result<void> validate_config(const ContainerConfig& config) {
  if (config.hostname.size() > kMaxHostname) {
    return fail(Code::InvalidArgument, "invalid hostname \"{}\": longer than {} bytes", config.hostname, kMaxHostname);
  }
  if (config.hostname.find_first_of(" \t\n/") != std::string::npos) {
    return fail(Code::InvalidArgument, "invalid hostname \"{}\"", config.hostname);
  }
  if (!config.working_dir.empty() && config.working_dir[0] != '/') {
    return fail(Code::InvalidArgument, "the working directory '{}' is invalid, it needs to be an absolute path",
                config.working_dir);
  }
  for (const auto& variable : config.env) {
    if (variable.empty() || variable[0] == '=')
      return fail(Code::InvalidArgument, "invalid environment variable: {}", variable);
    if (variable.find('\0') != std::string::npos)
      return fail(Code::InvalidArgument, "invalid environment variable: NUL byte");
  }
  if (!config.stop_signal.empty()) TRY(parse_signal(config.stop_signal));
  return validate_health(config.healthcheck);
}

Result<void> validate_sysctls(const HostConfig& host) {
  for (const auto& [key, value] : host.sysctls) {
    if (key.find_first_of("+= \n\t") != std::string::npos || key.find("..") != std::string::npos) {
      return fail(Code::InvalidArgument, "invalid sysctl name \"{}\"", key);
    }
    const bool net = key.starts_with("net.");
    const bool ipc = key == "kernel.msgmax" || key == "kernel.msgmnb" || key == "kernel.msgmni" ||
                     key == "kernel.sem" || key == "kernel.shmall" || key == "kernel.shmmax" ||
                     key == "kernel.shmmni" || key == "kernel.shm_rmid_forced" || key.starts_with("fs.mqueue.");
    if (!net && !ipc && key != "kernel.domainname" && key != "kernel.hostname") {
      return fail(Code::InvalidArgument, "sysctl '{}={}' is not whitelisted", key, value);
    }
    if (net && host.network_mode == "host") {
      return fail(Code::InvalidArgument, "sysctl '{}' not allowed in host network namespace", key);
    }
    if (ipc && host.ipc_mode == "host") {
      return fail(Code::InvalidArgument, "sysctl '{}' not allowed in host ipc namespace", key);
    }
  }
  return {};
}

bool valid_mode(const std::string& mode, std::initializer_list<std::string_view> plain) {
  if (mode.starts_with("container:")) return mode.size() > 10;
  return std::ranges::find(plain, mode) != plain.end();
}

Result<void> validate_modes(const ContainerSpec& spec) {
  const HostConfig& host = spec.host_config;
  if (!valid_mode(host.pid_mode, {"", "host"}))
    return fail(Code::InvalidArgument, "invalid PID mode: {}", host.pid_mode);
  if (!valid_mode(host.ipc_mode, {"", "none", "private", "shareable", "host"})) {
    return fail(Code::InvalidArgument, "invalid IPC mode: {}", host.ipc_mode);
  }
  if (host.uts_mode != "" && host.uts_mode != "host")
    return fail(Code::InvalidArgument, "invalid UTS mode: {}", host.uts_mode);
  if (host.userns_mode != "" && host.userns_mode != "host")
    return fail(Code::InvalidArgument, "invalid userns mode: {}", host.userns_mode);
  if (host.cgroupns_mode != "" && host.cgroupns_mode != "host" && host.cgroupns_mode != "private") {
    return fail(Code::InvalidArgument, "invalid cgroup namespace mode: {}", host.cgroupns_mode);
  }
  const bool shared = host.network_mode.starts_with("container:");
  if (shared || host.network_mode == "host") {
    const char* mode = shared ? "container" : "host";
    if (!spec.config.hostname.empty() && shared) {
      return fail(Code::InvalidArgument, "conflicting options: hostname and the network mode");
    }
    if (host.links && !host.links->empty())
      return fail(Code::InvalidArgument, "conflicting options: {} type networking can't be used with links", mode);
    if (shared && (!host.port_bindings.empty() || host.publish_all_ports)) {
      return fail(Code::InvalidArgument, "conflicting options: port publishing and the container type network mode");
    }
  }
  if (host.uts_mode == "host" && !spec.config.hostname.empty()) {
    return fail(Code::InvalidArgument, "conflicting options: hostname and the UTS mode");
  }
  return {};
}

Result<void> validate_port(std::string_view text) {
  auto parts = split_once(text, '/');
  auto number = parse_uint(parts ? parts->first : text);
  std::string protocol = to_lower(parts ? parts->second : std::string_view("tcp"));
  const bool known = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
  if (number && *number > 0 && *number <= UINT16_MAX && known) return {};
  return fail(Code::InvalidArgument, "invalid port specification: \"{}\"", text);
}

/// "", "8080" or "8000-8010".
Result<void> validate_host_port(std::string_view text) {
  if (text.empty()) return {};
  auto range = split_once(text, '-');
  auto first = parse_uint(range ? range->first : text), last = range ? parse_uint(range->second) : first;
  if (first && last && *first <= *last && *last <= UINT16_MAX) return {};
  return fail(Code::InvalidArgument, "invalid port specification: \"{}\"", text);
}

Result<void> validate_ports(const HostConfig& host) {
  for (const auto& [port, bindings] : host.port_bindings) {
    TRY(validate_port(port));
    if (!bindings) continue;
    for (const auto& binding : *bindings) TRY(validate_host_port(binding.host_port));
  }
  return {};
}

Result<void> validate_names(const HostConfig& host) {
  if (host.extra_hosts) {
    for (const auto& text : *host.extra_hosts) {
      if (text.find(':') == std::string::npos)
        return fail(Code::InvalidArgument, "bad format for add-host: \"{}\"", text);
    }
  }
  if (host.links) {
    for (const auto& text : *host.links) {
      if (text.empty() || split(text, ':').size() > 2)
        return fail(Code::InvalidArgument, "bad format for links: {}", text);
    }
  }
  return {};
}

/// What is set and has no effect here, as Docker says it.
void warn_of_discarded(HostConfig& host, std::vector<std::string>& warnings) {
  if (host.cpu_count > 0) {
    warnings.emplace_back("linux does not support CPU count. Count discarded.");
    host.cpu_count = 0;
  }
  if (host.cpu_percent > 0) {
    warnings.emplace_back("linux does not support CPU percent. Percent discarded.");
    host.cpu_percent = 0;
  }
  if (host.network_mode == "host" && (!host.port_bindings.empty() || host.publish_all_ports)) {
    warnings.emplace_back("Published ports are discarded when using host network mode");
  }
}

Result<void> validate_host(const ContainerSpec& spec, uint32_t cpus) {
  const HostConfig& host = spec.host_config;
  TRY(refuse_unsupported(host));
  TRY(validate_resources(host, cpus));
  TRY(validate_restart(host));
  TRY(validate_modes(spec));
  TRY(validate_sysctls(host));
  TRY(validate_ports(host));
  TRY(validate_names(host));
  TRY(plan_capabilities(host));
  if (host.oom_score_adj < -1000 || host.oom_score_adj > 1000) {
    return fail(Code::InvalidArgument, "Invalid value {}, range for oom score adj is [-1000, 1000]",
                host.oom_score_adj);
  }
  if (host.shm_size < 0) return fail(Code::InvalidArgument, "SHM size can not be less than 0");
  if (host.ulimits) {
    for (const auto& limit : *host.ulimits) {
      if (limit.soft > limit.hard && limit.hard != -1) {
        return fail(Code::InvalidArgument, "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                    limit.soft, limit.hard);
      }
    }
  }
  return {};
}

void merge_env(const std::vector<std::string>& image, std::vector<std::string>& env) {
  // The container's own stand first. A name without "=" unsets the variable: it stays, and plan_env() leaves it out.
  auto name_of = [](const std::string& text) { return text.substr(0, text.find('=')); };
  const size_t own = env.size();
  for (const auto& variable : image) {
    bool overridden = false;
    for (size_t i = 0; i < own; ++i) overridden = overridden || name_of(env[i]) == name_of(variable);
    if (!overridden) env.push_back(variable);
  }
}

void merge_health(const oci::HealthConfig& image, std::optional<oci::HealthConfig>& own) {
  if (!own) {
    own = image;
    return;
  }
  if (own->test.empty()) own->test = image.test;
  if (own->interval == 0) own->interval = image.interval;
  if (own->timeout == 0) own->timeout = image.timeout;
  if (own->start_period == 0) own->start_period = image.start_period;
  if (own->start_interval == 0) own->start_interval = image.start_interval;
  if (own->retries == 0) own->retries = image.retries;
}

}  // namespace

void merge_image(const oci::ImageConfig& image, ContainerConfig& config) {
  if (config.user.empty()) config.user = image.user;
  config.exposed_ports.insert(image.exposed_ports.begin(), image.exposed_ports.end());
  merge_env(image.env, config.env);
  for (const auto& [key, value] : image.labels) config.labels.emplace(key, value);
  // A new entrypoint drops the image's command; an empty one ([""]) resets the image's.
  if (!config.entrypoint || config.entrypoint->empty()) {
    if (!config.cmd || config.cmd->empty()) config.cmd = image.cmd;
    if (!config.entrypoint) config.entrypoint = image.entrypoint;
  }
  if (image.healthcheck) merge_health(*image.healthcheck, config.healthcheck);
  if (config.working_dir.empty()) config.working_dir = image.working_dir;
  config.volumes.insert(image.volumes.begin(), image.volumes.end());
  if (config.stop_signal.empty()) config.stop_signal = image.stop_signal;
  if (!config.shell) config.shell = image.shell;
}

namespace {

void fill_path_and_args(ContainerRecord& record) {
  std::vector<std::string> argv;
  const auto& entrypoint = record.config.entrypoint;
  if (entrypoint && !(entrypoint->size() == 1 && entrypoint->front().empty())) argv = *entrypoint;
  if (record.config.cmd) argv.insert(argv.end(), record.config.cmd->begin(), record.config.cmd->end());
  if (argv.empty()) return;
  record.path = argv.front();
  record.args.assign(argv.begin() + 1, argv.end());
}

void fill_defaults(ContainerRecord& record) {
  HostConfig& host = record.host_config;
  if (host.network_mode.empty() || host.network_mode == "default") host.network_mode = "bridge";
  if (host.shm_size == 0) host.shm_size = 64 << 20;
  if (host.ipc_mode.empty()) host.ipc_mode = "private";
  if (host.restart_policy.name.empty()) host.restart_policy.name = "no";
  if (host.log_config.type.empty()) host.log_config.type = "json-file";
  if (host.runtime.empty()) host.runtime = "runc";
  // Docker's rule: memory alone limits swap to the same amount again.
  if (host.memory > 0 && host.memory_swap == 0) host.memory_swap = host.memory * 2;
  if (host.pids_limit && *host.pids_limit <= 0) host.pids_limit.reset();
  if (record.config.hostname.empty() && host.uts_mode != "host" && host.network_mode != "host") {
    record.config.hostname = record.id.substr(0, 12);
  }
  if (record.config.image.empty()) record.config.image = record.image_id;
}

}  // namespace

Result<void> validate_endpoint(const EndpointSettings& settings) {
  const bool options = settings.driver_opts && !settings.driver_opts->empty();
  const auto& addresses = settings.ipam_config;
  const char* field = options                                           ? "DriverOpts"
                      : addresses && !addresses->link_local_ips.empty() ? "IPAMConfig.LinkLocalIPs"
                      : addresses && !addresses->ipv6_address.empty()   ? "IPAMConfig.IPv6Address"
                                                                        : nullptr;
  if (field) return fail(Code::NotImplemented, "EndpointSettings.{} is not implemented", field);
  return {};
}

Result<void> validate_user_namespace(const HostConfig& host) {
  if (host.privileged) {
    return fail(Code::InvalidArgument,
                "privileged mode is incompatible with user namespaces.  You must run the container in the host "
                "namespace when running privileged mode");
  }
  if (host.network_mode == "host")
    return fail(Code::InvalidArgument, "cannot share the host's network namespace when user namespaces are enabled");
  if (host.pid_mode == "host")
    return fail(Code::InvalidArgument, "cannot share the host PID namespace when user namespaces are enabled");
  return {};
}

Result<void> validate_resources(const Resources& r, uint32_t cpus) {
  TRY(validate_memory(r));
  TRY(validate_cpu(r, cpus));
  if (r.blkio_weight != 0 && (r.blkio_weight < 10 || r.blkio_weight > 1000)) {
    return fail(Code::InvalidArgument, "Range of blkio weight is from 10 to 1000");
  }
  return {};
}

Result<ContainerRecord> make_record(const ContainerSpec& spec, const image::ImageRecord* image,
                                    const RecordFacts& facts, std::vector<std::string>& warnings) {
  TRY(validate_name(facts.name));
  TRY(validate_config(spec.config));
  TRY(validate_host(spec, facts.cpus));
  TRY(validate_nodes(spec.host_config.cpuset_mems, facts.memory_nodes));
  for (const auto& [network, settings] : spec.networking_config.endpoints_config) TRY(validate_endpoint(settings));
  ContainerRecord record;
  record.id = facts.id;
  record.name = facts.name;
  record.created = facts.created;
  record.config = spec.config;
  record.host_config = spec.host_config;
  if (image) {
    record.image_id = image->id;
    merge_image(image->config.config, record.config);
  }
  fill_defaults(record);
  warn_of_discarded(record.host_config, warnings);
  fill_path_and_args(record);
  if (record.path.empty()) return fail(Code::InvalidArgument, "no command specified");
  record.networks = spec.networking_config.endpoints_config;
  if (record.networks.empty()) {
    const std::string& mode = record.host_config.network_mode;
    if (!mode.starts_with("container:")) record.networks[mode] = {};
  }
  record.hostname_path = facts.directory + "/hostname";
  record.hosts_path = facts.directory + "/hosts";
  record.resolv_conf_path = facts.directory + "/resolv.conf";
  // Docker tells nobody the path of the other formats: they may change.
  if (record.host_config.log_config.type == "json-file")
    record.log_path = facts.directory + "/log/" + facts.id + "-json.log";
  TRY(plan_log(record, log_file(record)));
  TRY(make_seccomp(record));
  if (record.host_config.oom_kill_disable.value_or(false) && record.host_config.memory == 0) {
    warnings.emplace_back(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in the "
        "system running out of resources.");
  }
  return record;
}

}  // namespace sampan::container
