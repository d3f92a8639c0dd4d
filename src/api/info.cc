// GET /info: the 62 fields, as truthfully as this engine can.
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "base/strings.h"
#include "cdi/cdi.h"
#include "codec/text.h"
#include "sys/file.h"

namespace sampan::api {
namespace {

struct HostText {
  std::string operating_system = "Linux", os_version, kernel, machine, hostname;
};

HostText read_host_text() {
  HostText out;
  if (auto text = sys::read_file("/etc/os-release", 1 << 16)) {
    for (const auto& line : split(*text, '\n')) {
      auto pair = split_once(line, '=');
      if (!pair) continue;
      std::string value(pair->second);
      if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
      if (pair->first == "PRETTY_NAME") out.operating_system = value;
      if (pair->first == "VERSION_ID") out.os_version = value;
    }
  }
  utsname names{};
  if (::uname(&names) == 0) {
    out.kernel = names.release;
    out.machine = names.machine;
    out.hostname = names.nodename;
  }
  return out;
}

int64_t total_memory() {
  struct sysinfo facts{};
  if (::sysinfo(&facts) != 0) return 0;
  return static_cast<int64_t>(facts.totalram) * facts.mem_unit;
}

bool is_switched_on(const std::string& path) {
  auto text = sys::read_file(path, 64);
  return text && trim(*text) == "1";
}

Result<void> add_counts(json::object& out, engine::Engine& engine) {
  engine::ListOptions options;
  options.all = true;
  int64_t running = 0, paused = 0, stopped = 0;
  auto containers = TRY(engine.list_containers(options));
  for (const auto& record : containers) {
    if (record->state.status == "paused") {
      ++paused;
    } else if (record->state.running()) {
      ++running;
    } else {
      ++stopped;
    }
  }
  out["Containers"] = containers.size();
  out["ContainersRunning"] = running;
  out["ContainersPaused"] = paused;
  out["ContainersStopped"] = stopped;
  out["Images"] = TRY(engine.images().list()).size();
  return {};
}

void add_cgroup_facts(json::object& out) {
  cgroup::HostCgroups host;
  if (auto detected = cgroup::detect_host()) host = std::move(*detected);
  bool v2 = host.version == cgroup::Version::V2;
  bool memory = host.has("memory"), cpu = host.has("cpu");
  auto v1_file = [&host](const char* controller, const char* file) {
    auto root = host.v1_roots.find(controller);
    return root != host.v1_roots.end() && sys::path_exists(root->second + "/" + file);
  };
  out["MemoryLimit"] = memory;
  out["SwapLimit"] = memory && (v2 || v1_file("memory", "memory.memsw.limit_in_bytes"));
  if (!v2) out["KernelMemoryTCP"] = v1_file("memory", "memory.kmem.tcp.limit_in_bytes");
  out["CpuCfsPeriod"] = cpu;
  out["CpuCfsQuota"] = cpu;
  out["CPUShares"] = cpu;
  out["CPUSet"] = host.has("cpuset");
  out["PidsLimit"] = host.has("pids");
  out["OomKillDisable"] = !v2 && memory;
  out["CgroupDriver"] = "cgroupfs";
  out["CgroupVersion"] = v2 ? "2" : "1";
  json::array warnings;
  if (!memory) warnings.emplace_back("WARNING: No memory limit support");
  if (memory && !out["SwapLimit"].as_bool()) warnings.emplace_back("WARNING: No swap limit support");
  if (!cpu) warnings.emplace_back("WARNING: No cpu cfs quota support");
  if (!is_switched_on("/proc/sys/net/ipv4/ip_forward")) warnings.emplace_back("WARNING: IPv4 forwarding is disabled");
  out["Warnings"] = warnings.empty() ? json::value(nullptr) : json::value(std::move(warnings));
}

void add_host_facts(json::object& out, const HostText& host) {
  out["IPv4Forwarding"] = is_switched_on("/proc/sys/net/ipv4/ip_forward");
  out["KernelVersion"] = host.kernel;
  out["OperatingSystem"] = host.operating_system;
  out["OSVersion"] = host.os_version;
  out["OSType"] = "linux";
  out["Architecture"] = host.machine;
  out["NCPU"] = ::sysconf(_SC_NPROCESSORS_ONLN);
  out["MemTotal"] = total_memory();
  out["Name"] = host.hostname;
}

int64_t count_descriptors() {
  auto names = sys::list_dir("/proc/self/fd");
  return names ? static_cast<int64_t>(names->size()) : 0;
}

int64_t count_threads() {
  auto names = sys::list_dir("/proc/self/task");
  return names ? static_cast<int64_t>(names->size()) : 0;
}

json::object registry_config(const ApiOptions& options) {
  json::object indexes;
  json::array cidrs{"::1/128", "127.0.0.0/8"};
  json::value mirrors = codec::write_json(options.registry_mirrors);
  indexes["docker.io"] =
      json::object{{"Name", "docker.io"}, {"Mirrors", mirrors}, {"Secure", true}, {"Official", true}};
  for (const auto& name : options.insecure_registries) {
    if (name.find('/') != std::string::npos) {
      cidrs.emplace_back(json::string(name));
    } else {
      indexes[name] = json::object{
          {"Name", json::string(name)}, {"Mirrors", json::array()}, {"Secure", false}, {"Official", false}};
    }
  }
  return {{"AllowNondistributableArtifactsCIDRs", json::array()},
          {"AllowNondistributableArtifactsHostnames", json::array()},
          {"InsecureRegistryCIDRs", std::move(cidrs)},
          {"IndexConfigs", std::move(indexes)},
          {"Mirrors", mirrors}};
}

json::array address_pools(const ApiOptions& options) {
  json::array out;
  for (const auto& [base, size] : options.address_pools) {
    out.push_back(json::object{{"Base", json::string(base)}, {"Size", size}});
  }
  return out;
}

/// A number is so many of a kind, anything else names one.
json::value generic_resources(const ApiOptions& options) {
  if (options.generic_resources.empty()) return nullptr;
  json::array out;
  for (const auto& text : options.generic_resources) {
    auto pair = split_once(text, '=');
    if (!pair) continue;
    json::object spec{{"Kind", json::string(pair->first)}};
    auto count = parse_int(pair->second);
    spec["Value"] = count ? json::value(*count) : json::value(json::string(pair->second));
    out.push_back(json::object{{count ? "DiscreteResourceSpec" : "NamedResourceSpec", std::move(spec)}});
  }
  return out;
}

void add_engine_facts(json::object& out, Call& call) {
  const auto& options = call.engine().options();
  const auto told = call.services.options.load();
  auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  out["ID"] = told->engine_id;
  out["Driver"] = "overlay2";
  out["DriverStatus"] = json::array{json::array{"Userxattr", "false"}, json::array{"Native Overlay Diff", "true"}};
  out["Plugins"] =
      json::object{{"Volume", json::array{"local"}},
                   {"Network", json::array{"bridge", "host", "null"}},
                   {"Authorization", nullptr},
                   {"Log", json::array{"fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"}}};
  out["Debug"] = told->debug;
  out["NFd"] = count_descriptors();
  out["NGoroutines"] = count_threads();
  out["SystemTime"] = codec::format_rfc3339({now.count()});
  out["LoggingDriver"] = told->log_driver;
  out["NEventsListener"] = call.services.event_listeners.load();
  out["IndexServerAddress"] = "https://index.docker.io/v1/";
  out["RegistryConfig"] = registry_config(*told);
  out["GenericResources"] = generic_resources(*told);
  out["DockerRootDir"] = options.data_root;
  out["HttpProxy"] = told->http_proxy;
  out["HttpsProxy"] = told->https_proxy;
  out["NoProxy"] = told->no_proxy;
  out["Labels"] = codec::write_json(told->labels);
  if (!told->address_pools.empty()) out["DefaultAddressPools"] = address_pools(*told);
  out["ExperimentalBuild"] = options.experimental;
  out["ServerVersion"] = SAMPAN_VERSION;
  json::object runtimes;
  runtimes["sampan-runtime"] = json::object{{"path", "sampan-runtime"}};
  out["Runtimes"] = std::move(runtimes);
  out["DefaultRuntime"] = "sampan-runtime";
  out["LiveRestoreEnabled"] = told->live_restore;
  out["Isolation"] = "";
  out["InitBinary"] = options.init_program;
  json::object none{{"ID", ""}, {"Expected", ""}};
  out["ContainerdCommit"] = none;
  out["RuncCommit"] = none;
  out["InitCommit"] = none;
  json::array security{"name=seccomp,profile=builtin"};
  if (!options.user_mappings.empty()) security.push_back("name=userns");
  out["SecurityOptions"] = std::move(security);
  out["CDISpecDirs"] = codec::write_json(options.cdi_spec_dirs);
  json::array discovered;
  for (const auto& [name, entry] : cdi::read_catalog(options.cdi_spec_dirs).devices)
    discovered.push_back(json::object{{"Source", "cdi"}, {"ID", json::string(name)}});
  out["DiscoveredDevices"] = std::move(discovered);
  out["FirewallBackend"] = json::object{{"Driver", "nftables"}};
}

}  // namespace

Result<http::Response> get_info(Call& call) {
  json::object out;
  TRY(add_counts(out, call.engine()));
  add_cgroup_facts(out);
  add_host_facts(out, read_host_text());
  add_engine_facts(out, call);
  out["Swarm"] = json::object{
      {"NodeID", ""}, {"NodeAddr", ""},           {"LocalNodeState", "inactive"}, {"ControlAvailable", false},
      {"Error", ""},  {"RemoteManagers", nullptr}};
  if (call.version < Version{1, 49}) out.erase("FirewallBackend");
  if (call.version >= Version{1, 49}) {
    for (const char* name : {"ContainerdCommit", "RuncCommit", "InitCommit"}) out[name].as_object().erase("Expected");
  }
  if (call.version < Version{1, 50}) {
    out.erase("DiscoveredDevices");
    out["BridgeNfIptables"] = is_switched_on("/proc/sys/net/bridge/bridge-nf-call-iptables");
    out["BridgeNfIp6tables"] = is_switched_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
  }
  if (call.version < Version{1, 42}) out["KernelMemory"] = out["MemoryLimit"];
  if (call.version < Version{1, 46}) out.erase("CDISpecDirs");
  if (call.version < Version{1, 25}) out["ExecutionDriver"] = "<not supported>";
  return json_answer(200, out);
}

}  // namespace sampan::api
