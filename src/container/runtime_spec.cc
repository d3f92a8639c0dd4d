#include <algorithm>

#include "base/strings.h"
#include "codec/json.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

constexpr const char* kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

constexpr const char* kMasked[] = {"/proc/acpi",
                                   "/proc/asound",
                                   "/proc/interrupts",
                                   "/proc/kcore",
                                   "/proc/keys",
                                   "/proc/latency_stats",
                                   "/proc/sched_debug",
                                   "/proc/scsi",
                                   "/proc/timer_list",
                                   "/proc/timer_stats",
                                   "/sys/devices/virtual/powercap",
                                   "/sys/firmware"};
constexpr const char* kReadonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

/// "--security-opt": name[=value], Docker also takes name:value.
struct SecurityOptions {
  bool no_new_privileges = false, unconfined_paths = false, writable_cgroups = false;
  std::string seccomp;   // "", "unconfined", "builtin", or a profile's JSON
  std::string apparmor;  // "", "unconfined", or a name
};

Result<SecurityOptions> parse_security_options(const HostConfig& host) {
  SecurityOptions out;
  if (!host.security_opt) return out;
  for (const auto& text : *host.security_opt) {
    if (text == "no-new-privileges") {
      out.no_new_privileges = true;
      continue;
    }
    auto parts = split_once(text, '=');
    if (!parts) parts = split_once(text, ':');
    if (!parts) return fail(Code::InvalidArgument, "invalid --security-opt 1: \"{}\"", text);
    auto [name, value] = *parts;
    if (name == "no-new-privileges")
      out.no_new_privileges = value == "true";
    else if (name == "seccomp")
      out.seccomp = value;
    else if (name == "apparmor")
      out.apparmor = value;
    else if (name == "systempaths" && value == "unconfined")
      out.unconfined_paths = true;
    else if (name == "writable-cgroups")
      out.writable_cgroups = value == "true";
    else if (name == "label" && value == "disable")
      continue;
    else if (name == "label")
      return fail(Code::InvalidArgument, "invalid --security-opt: SELinux is not available on this host: \"{}\"", text);
    else
      return fail(Code::InvalidArgument, "invalid --security-opt 2: \"{}\"", text);
  }
  return out;
}

oci::Mount mount(const char* destination, const char* type, const char* source, std::vector<std::string> options) {
  return {destination, type, source, std::move(options), {}, {}};
}

void add_default_mounts(const ContainerRecord& record, const SecurityOptions& security, const RuntimeFacts& facts,
                        oci::Spec& spec) {
  const HostConfig& host = record.host_config;
  const char* writable = host.privileged ? "rw" : "ro";
  auto& out = spec.mounts;
  out.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  out.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  out.push_back(mount("/dev/pts", "devpts", "devpts",
                      {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  out.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", writable}));
  const char* cgroup = security.writable_cgroups ? "rw" : writable;
  out.push_back(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", cgroup}));
  // A queue filesystem is its IPC namespace's, and the host's is not a mapped root's to mount.
  const bool of_host = host.ipc_mode == "host" && !facts.user_mappings.empty();
  if (of_host && facts.host_mqueue)
    out.push_back(mount("/dev/mqueue", "bind", "/dev/mqueue", {"rbind", "nosuid", "noexec", "nodev"}));
  if (!of_host) out.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  if (host.ipc_mode == "none") return;
  if (host.ipc_mode == "host") {
    // A queue filesystem belongs to an IPC namespace: mounted in the host's it is the host's, whether or not
    // /dev/mqueue is.
    out.push_back(mount("/dev/shm", "bind", "/dev/shm", {"rbind", "nosuid", "noexec", "nodev"}));
    return;
  }
  if (host.ipc_mode.starts_with("container:")) return;  // the engine binds the other's /dev/shm
  out.push_back(mount("/dev/shm", "tmpfs", "shm",
                      {"nosuid", "noexec", "nodev", "mode=1777", fmt::format("size={}", host.shm_size)}));
}

/// A user's mount replaces the default one at the same place.
void add_user_mounts(const std::vector<oci::Mount>& mounts, oci::Spec& spec) {
  for (const auto& user : mounts) {
    std::erase_if(spec.mounts, [&](const oci::Mount& m) { return m.destination == user.destination; });
    spec.mounts.push_back(user);
  }
}

void add_engine_files(const ContainerRecord& record, const std::vector<oci::Mount>& user, oci::Spec& spec) {
  const std::pair<const char*, const std::string*> files[] = {{"/etc/resolv.conf", &record.resolv_conf_path},
                                                              {"/etc/hostname", &record.hostname_path},
                                                              {"/etc/hosts", &record.hosts_path}};
  const char* mode = record.host_config.readonly_rootfs ? "ro" : "rw";
  for (const auto& [destination, source] : files) {
    bool taken = std::ranges::any_of(user, [&](const oci::Mount& m) { return m.destination == destination; });
    if (!taken && !source->empty())
      spec.mounts.push_back(mount(destination, "bind", source->c_str(), {"rbind", "rprivate", mode}));
  }
}

std::vector<oci::Namespace> plan_namespaces(const ContainerRecord& record, const RuntimeFacts& facts) {
  const HostConfig& host = record.host_config;
  std::vector<oci::Namespace> out;
  auto path = [&](const char* type) {
    auto found = facts.namespace_paths.find(type);
    return found == facts.namespace_paths.end() ? std::string() : found->second;
  };
  out.push_back({"mount", ""});
  if (host.network_mode != "host") out.push_back({"network", path("network")});
  if (host.uts_mode != "host") out.push_back({"uts", ""});
  if (host.pid_mode != "host") out.push_back({"pid", path("pid")});
  if (host.ipc_mode != "host") out.push_back({"ipc", path("ipc")});
  const bool v2 = facts.cgroup_version == cgroup::Version::V2;
  // Docker's default: a private cgroup namespace on v2, the host's on v1 and for privileged containers.
  const bool want_private = host.cgroupns_mode == "private" || (host.cgroupns_mode.empty() && v2 && !host.privileged);
  if (want_private) out.push_back({"cgroup", ""});
  if (!facts.user_mappings.empty()) out.push_back({"user", path("user")});
  return out;
}

std::vector<oci::Rlimit> plan_rlimits(const HostConfig& host) {
  std::vector<oci::Rlimit> out;
  bool nofile = false;
  if (host.ulimits) {
    for (const auto& limit : *host.ulimits) {
      auto value = [](int64_t v) { return v < 0 ? UINT64_MAX : static_cast<uint64_t>(v); };
      out.push_back({"RLIMIT_" + to_upper(limit.name), value(limit.soft), value(limit.hard)});
      nofile = nofile || limit.name == "nofile";
    }
  }
  // Said here, so that it is never whatever the daemon happens to run with.
  if (!nofile) out.push_back({"RLIMIT_NOFILE", 1024, 524288});
  return out;
}

std::vector<std::string> plan_env(const ContainerRecord& record) {
  std::vector<std::string> out;
  auto has = [&](std::string_view name) {
    return std::ranges::any_of(record.config.env, [&](const std::string& v) { return v.starts_with(name); });
  };
  if (!has("PATH=")) out.emplace_back(kDefaultPath);
  if (!record.config.hostname.empty() && !has("HOSTNAME=")) out.push_back("HOSTNAME=" + record.config.hostname);
  if (record.config.tty && !has("TERM=")) out.emplace_back("TERM=xterm");
  std::ranges::copy_if(record.config.env, std::back_inserter(out),
                       [](const std::string& variable) { return variable.find('=') != std::string::npos; });
  return out;
}

oci::Capabilities capability_sets(const std::vector<std::string>& names) {
  // Inheritable and ambient stay empty: nothing leaks into an unprivileged user's programs (CVE-2022-24769).
  return {names, names, {}, names, {}};
}

Result<oci::Process> plan_process(const ContainerRecord& record, const SecurityOptions& security) {
  const HostConfig& host = record.host_config;
  oci::Process out;
  out.terminal = record.config.tty;
  if (host.console_size.size() == 2 && (host.console_size[0] || host.console_size[1])) {
    out.console_size = oci::ConsoleSize{host.console_size[0], host.console_size[1]};
  }
  out.args.push_back(record.path);
  out.args.insert(out.args.end(), record.args.begin(), record.args.end());
  out.env = plan_env(record);
  out.cwd = record.config.working_dir.empty() ? "/" : record.config.working_dir;
  out.capabilities = capability_sets(TRY(plan_capabilities(host)));
  out.rlimits = plan_rlimits(host);
  out.no_new_privileges = security.no_new_privileges;
  out.oom_score_adj = static_cast<int32_t>(host.oom_score_adj);
  if (!security.apparmor.empty() && security.apparmor != "unconfined") out.apparmor_profile = security.apparmor;
  return out;
}

void add_devices(const HostConfig& host, const RuntimeFacts& facts, oci::Linux& out) {
  if (host.privileged) {
    out.devices = facts.host_devices;
    return;
  }
  if (!host.devices) return;
  for (const auto& mapping : *host.devices) {
    auto found = facts.mapped_devices.find(mapping.path_on_host);
    if (found == facts.mapped_devices.end()) continue;
    for (auto device : found->second) {
      // A directory's nodes keep their place below it.
      const std::string& inside = mapping.path_in_container.empty() ? mapping.path_on_host : mapping.path_in_container;
      device.path = inside + device.path.substr(std::min(device.path.size(), mapping.path_on_host.size()));
      out.devices.push_back(std::move(device));
    }
  }
}

void add_paths(const HostConfig& host, const SecurityOptions& security, const RuntimeFacts& facts, oci::Linux& out) {
  if (host.privileged || security.unconfined_paths) return;
  if (host.masked_paths) {
    out.masked_paths = *host.masked_paths;
  } else {
    out.masked_paths.assign(std::begin(kMasked), std::end(kMasked));
    for (uint32_t cpu = 0; cpu < facts.possible_cpus; ++cpu) {
      out.masked_paths.push_back(fmt::format("/sys/devices/system/cpu/cpu{}/thermal_throttle", cpu));
    }
  }
  if (host.readonly_paths)
    out.readonly_paths = *host.readonly_paths;
  else
    out.readonly_paths.assign(std::begin(kReadonly), std::end(kReadonly));
}

/// Of the groups that there are: an id without a mapping is none to the kernel.
uint32_t last_group(const std::vector<oci::IdMapping>& gids) {
  for (const auto& range : gids) {
    if (range.container_id == 0) return range.size - 1;
  }
  return INT32_MAX;
}

void add_sysctls(const HostConfig& host, oci::Linux& out) {
  const bool own_network = host.network_mode != "host" && !host.network_mode.starts_with("container:");
  if (own_network) {
    out.sysctl["net.ipv4.ip_unprivileged_port_start"] = "0";
    out.sysctl["net.ipv4.ping_group_range"] = fmt::format("0 {}", last_group(out.gid_mappings));
  }
  for (const auto& [key, value] : host.sysctls) out.sysctl[key] = value;
}

Result<oci::Seccomp> parse_profile(const std::string& text, std::span<const std::string> capabilities);

}  // namespace

Result<std::optional<oci::Seccomp>> make_seccomp(const ContainerRecord& record) {
  auto security = TRY(parse_security_options(record.host_config));
  if (security.seccomp == "unconfined") return std::optional<oci::Seccomp>();
  if (record.host_config.privileged && security.seccomp.empty()) return std::optional<oci::Seccomp>();
  auto capabilities = TRY(plan_capabilities(record.host_config));
  if (!security.seccomp.empty() && security.seccomp != "builtin") {
    return std::optional(TRY_CONTEXT(parse_profile(security.seccomp, capabilities), "Decoding seccomp profile failed"));
  }
  return std::optional(default_seccomp(capabilities));
}

namespace {

/// Docker's profile format: runtime-spec rules with conditions (includes, excludes) and an architecture map.
Result<void> read_profile_rule(const codec::json::value& value, std::span<const std::string> capabilities,
                               oci::Seccomp& out) {
  auto listed = [&](const char* section, const char* key, auto&& test) {
    const auto* object = value.is_object() ? value.get_object().if_contains(section) : nullptr;
    const auto* list = object && object->is_object() ? object->get_object().if_contains(key) : nullptr;
    std::vector<bool> hits;
    if (list && list->is_array()) {
      for (const auto& item : list->get_array())
        hits.push_back(item.is_string() && test(std::string(item.get_string())));
    }
    return hits;
  };
  auto has_capability = [&](const std::string& name) {
    return std::ranges::find(capabilities, name) != capabilities.end();
  };
  auto is_our_arch = [](const std::string& name) { return name == oci::host_platform().architecture; };
  auto all = [](const std::vector<bool>& hits) { return std::ranges::all_of(hits, [](bool b) { return b; }); };
  auto any = [](const std::vector<bool>& hits) { return std::ranges::any_of(hits, [](bool b) { return b; }); };
  auto arches = listed("includes", "arches", is_our_arch);
  if (!arches.empty() && !any(arches)) return {};
  if (!all(listed("includes", "caps", has_capability))) return {};
  if (any(listed("excludes", "caps", has_capability)) || any(listed("excludes", "arches", is_our_arch))) return {};
  oci::SeccompRule rule;
  TRY(codec::read_json(value, rule, "syscalls"));
  if (rule.names.empty()) {
    std::string name;
    if (const auto* one = value.get_object().if_contains("name"); one && one->is_string())
      name = std::string(one->get_string());
    if (name.empty()) return fail(Code::InvalidArgument, "a rule without names");
    rule.names.push_back(name);
  }
  out.syscalls.push_back(std::move(rule));
  return {};
}

Result<oci::Seccomp> parse_profile(const std::string& text, std::span<const std::string> capabilities) {
  auto value = TRY(codec::parse_json(text));
  if (!value.is_object()) return fail(Code::InvalidArgument, "the profile must be an object");
  auto object = value.get_object();
  codec::json::value syscalls =
      object.contains("syscalls") ? object["syscalls"] : codec::json::value(codec::json::array());
  object.erase("syscalls");
  oci::Seccomp out;
  TRY(codec::read_json(codec::json::value(object), out));
  if (out.default_action.empty()) return fail(Code::InvalidArgument, "no defaultAction");
  if (out.architectures.empty()) out.architectures = default_seccomp({}).architectures;
  if (!syscalls.is_array()) return fail(Code::InvalidArgument, "syscalls must be a list");
  for (const auto& rule : syscalls.get_array()) {
    if (!rule.is_object()) return fail(Code::InvalidArgument, "a rule must be an object");
    TRY(read_profile_rule(rule, capabilities, out));
  }
  return out;
}

}  // namespace

Result<oci::Spec> make_runtime_spec(const ContainerRecord& record, const RuntimeFacts& facts) {
  const HostConfig& host = record.host_config;
  auto security = TRY(parse_security_options(host));
  oci::Spec spec;
  spec.process = TRY(plan_process(record, security));
  spec.root = oci::Root{"rootfs", host.readonly_rootfs};
  if (host.uts_mode != "host") {
    spec.hostname = record.config.hostname;
    spec.domainname = record.config.domainname;
  }
  add_default_mounts(record, security, facts, spec);
  add_engine_files(record, facts.mounts, spec);
  add_user_mounts(facts.mounts, spec);
  spec.annotations = host.annotations;
  oci::Linux linux_part;
  linux_part.namespaces = plan_namespaces(record, facts);
  linux_part.uid_mappings = facts.user_mappings.uids;
  linux_part.gid_mappings = facts.user_mappings.gids;
  linux_part.resources = make_resources(host, facts);
  add_devices(host, facts, linux_part);
  add_paths(host, security, facts, linux_part);
  add_sysctls(host, linux_part);
  if (facts.seccomp_available) linux_part.seccomp = TRY(make_seccomp(record));
  const bool shared = std::ranges::any_of(facts.mounts, [](const oci::Mount& m) {
    return std::ranges::any_of(m.options, [](const std::string& o) {
      return o.find("shared") != std::string::npos || o.find("slave") != std::string::npos;
    });
  });
  linux_part.rootfs_propagation = shared ? "rslave" : "rprivate";
  spec.linux_ = std::move(linux_part);
  return spec;
}

std::vector<std::string> default_masked_paths() {
  return {std::begin(kMasked), std::end(kMasked)};
}
std::vector<std::string> default_readonly_paths() {
  return {std::begin(kReadonly), std::end(kReadonly)};
}

oci::Process make_exec_process(const ContainerRecord& record, const std::vector<std::string>& cmd,
                               const std::vector<std::string>& env, const std::string& working_dir, bool tty,
                               bool privileged) {
  ContainerRecord changed = record;
  changed.config.tty = tty;
  changed.host_config.privileged = changed.host_config.privileged || privileged;
  changed.host_config.console_size.clear();
  for (const auto& variable : env) {
    auto name = variable.substr(0, variable.find('=') + 1);
    std::erase_if(changed.config.env, [&](const std::string& own) { return !name.empty() && own.starts_with(name); });
    changed.config.env.push_back(variable);
  }
  if (!working_dir.empty()) changed.config.working_dir = working_dir;
  SecurityOptions security;
  if (auto parsed = parse_security_options(changed.host_config)) security = *parsed;
  auto process = plan_process(changed, security);
  oci::Process out = process ? std::move(*process) : oci::Process();
  out.args = cmd;
  return out;
}

}  // namespace sampan::container
