#include "api/internal/json_container.h"

#include <algorithm>

#include "api/internal/human.h"
#include "base/strings.h"
#include "container/explain.h"
#include "container/link.h"
#include "container/plan.h"

namespace sampan::api {
namespace {

using container::ContainerRecord;
using container::PortBinding;

bool is_empty(const json::value& value) {
  if (value.is_null()) return true;
  if (const auto* text = value.if_string()) return text->empty();
  if (const auto* list = value.if_array()) return list->empty();
  if (const auto* object = value.if_object()) return object->empty();
  if (const auto* flag = value.if_bool()) return !*flag;
  return false;
}

/// Go's `omitempty`.
void omit_empty(json::object& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto* value = object.if_contains(name);
    if (value && is_empty(*value)) object.erase(name);
  }
}

/// Go's nil pointers, slices and maps: what nobody gave. An empty list that was given stays one.
void null_absent(json::object& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (!object.contains(name)) object[name] = nullptr;
  }
}

/// The members of `object` that are objects lose what is empty in them, and themselves when they are missing.
void omit_empty_within(json::object& object, const char* name, std::initializer_list<const char*> members) {
  auto* value = object.if_contains(name);
  if (!value || !value->is_object()) {
    object.erase(name);
  } else {
    omit_empty(value->get_object(), members);
  }
}

void omit_empty_mount(json::object& mount) {
  for (const char* name : {"SizeBytes", "Mode"}) {
    auto* options = mount.if_contains("TmpfsOptions");
    if (!options || !options->is_object()) break;
    const auto* number = options->get_object().if_contains(name);
    if (number && number->is_number() && number->to_number<int64_t>() == 0) options->get_object().erase(name);
  }
  omit_empty(mount, {"Type", "Source", "Target", "ReadOnly", "Consistency"});
  omit_empty_within(
      mount, "BindOptions",
      {"Propagation", "NonRecursive", "CreateMountpoint", "ReadOnlyNonRecursive", "ReadOnlyForceRecursive"});
  omit_empty_within(mount, "VolumeOptions", {"NoCopy", "Labels", "DriverConfig", "Subpath"});
  omit_empty_within(mount, "TmpfsOptions", {"Options"});
  omit_empty_within(mount, "ImageOptions", {"Subpath"});
}

json::array binding_list(const std::vector<PortBinding>& bindings) {
  json::array out;
  for (const PortBinding& binding : bindings) {
    // Docker shows a port that is published on every address once for each address family.
    std::vector<std::string> addresses = {binding.host_ip};
    if (binding.host_ip.empty()) addresses = {"0.0.0.0", "::"};
    for (auto& address : addresses) {
      out.push_back(json::object{{"HostIp", json::string(address)}, {"HostPort", json::string(binding.host_port)}});
    }
  }
  return out;
}

json::object port_map(const ContainerRecord& record) {
  json::object out;
  if (!record.state.running() || record.state.status == "restarting") return out;
  const std::string& mode = record.host_config.network_mode;
  // Nothing is exposed where there is no network of its own.
  if (mode == "none" || mode == "host" || mode.starts_with("container:")) return out;
  for (const auto& port : record.config.exposed_ports) out[port] = nullptr;
  for (const auto& [port, bindings] : record.ports) {
    out[port] = bindings.empty() ? json::value(nullptr) : json::value(binding_list(bindings));
  }
  return out;
}

json::object endpoints(const ContainerRecord& record, Version version) {
  json::object out;
  for (const auto& [name, endpoint] : record.networks) {
    out[name] = format_endpoint(endpoint, version);
    // Until 1.45 the short id stood among the aliases of user-defined networks.
    bool own = name != "bridge" && name != "host" && name != "none";
    if (version < Version{1, 45} && own && !endpoint.endpoint_id.empty()) {
      auto& aliases = out[name].as_object()["Aliases"];
      if (!aliases.is_array()) aliases = json::array();
      aliases.get_array().push_back(json::string(record.id.substr(0, 12)));
    }
  }
  return out;
}

/// The members that stood at the top level before a container could be on several networks; gone in 1.52.
void add_legacy_network(json::object& out, const ContainerRecord& record) {
  container::EndpointSettings bridge;
  if (auto found = record.networks.find("bridge"); found != record.networks.end()) bridge = found->second;
  out["Bridge"] = "";
  out["HairpinMode"] = false;
  out["LinkLocalIPv6Address"] = "";
  out["LinkLocalIPv6PrefixLen"] = 0;
  out["SecondaryIPAddresses"] = nullptr;
  out["SecondaryIPv6Addresses"] = nullptr;
  out["EndpointID"] = bridge.endpoint_id;
  out["Gateway"] = bridge.gateway;
  out["GlobalIPv6Address"] = bridge.global_ipv6_address;
  out["GlobalIPv6PrefixLen"] = bridge.global_ipv6_prefix_len;
  out["IPAddress"] = bridge.ip_address;
  out["IPPrefixLen"] = bridge.ip_prefix_len;
  out["IPv6Gateway"] = bridge.ipv6_gateway;
  out["MacAddress"] = bridge.mac_address;
}

json::object network_settings(const ContainerRecord& record, Version version) {
  json::object out;
  // The namespace belongs to the shim: it has no name in the file system that could be entered by a path of its own.
  out["SandboxID"] = record.state.pid > 0 ? json::value(json::string(record.id)) : json::value("");
  out["SandboxKey"] = record.state.pid > 0 ? fmt::format("/proc/{}/ns/net", record.state.pid) : std::string();
  out["Ports"] = port_map(record);
  add_legacy_network(out, record);
  out["Networks"] = endpoints(record, version);
  return out;
}

json::object state_object(const ContainerRecord& record) {
  const container::ContainerState& state = record.state;
  json::object out;
  out["Status"] = state.status;
  out["Running"] = state.running();
  out["Paused"] = state.status == "paused";
  out["Restarting"] = state.status == "restarting";
  out["OOMKilled"] = state.oom_killed;
  out["Dead"] = state.status == "dead";
  out["Pid"] = state.pid;
  out["ExitCode"] = state.exit_code;
  out["Error"] = state.error;
  out["StartedAt"] = state.started_at;
  out["FinishedAt"] = state.finished_at;
  if (state.health) {
    json::array log;
    for (const auto& entry : state.health->log) {
      log.push_back(json::object{{"Start", json::string(entry.start)},
                                 {"End", json::string(entry.end)},
                                 {"ExitCode", entry.exit_code},
                                 {"Output", json::string(entry.output)}});
    }
    out["Health"] = json::object{{"Status", json::string(state.health->status)},
                                 {"FailingStreak", state.health->failing_streak},
                                 {"Log", std::move(log)}};
  }
  // Beyond Docker, under one name that no client of its knows.
  auto why = container::explain(record);
  out["Sampan"] = json::object{{"Reason", json::string(why.reason)},      {"Explanation", json::string(why.text)},
                               {"Signal", state.ending.signal},           {"MemoryLimit", state.ending.memory_limit},
                               {"Step", json::string(state.ending.step)}, {"Path", json::string(state.ending.path)}};
  return out;
}

json::object graph_driver(const InspectFacts& facts) {
  json::object data;
  data["LowerDir"] = join(facts.lower_dirs, ":");
  data["UpperDir"] = facts.upper_dir;
  data["WorkDir"] = facts.work_dir;
  data["MergedDir"] = facts.merged_dir;
  return {{"Data", std::move(data)}, {"Name", json::string(facts.driver)}};
}

std::string command_line(const ContainerRecord& record) {
  std::string out = record.path;
  for (const auto& arg : record.args) {
    bool quote = arg.find_first_of(" \t\n'\"") != std::string::npos || arg.empty();
    out += quote ? " '" + arg + "'" : " " + arg;
  }
  return out;
}

json::array port_rows(const ContainerRecord& record) {
  json::array out;
  auto row = [&out](const std::string& port, const std::string& ip, const std::string& host_port) {
    auto parts = split_once(port, '/');
    json::object entry;
    if (!ip.empty()) entry["IP"] = ip;
    entry["PrivatePort"] = parse_int(parts ? parts->first : std::string_view(port)).value_or(0);
    if (!host_port.empty()) entry["PublicPort"] = parse_int(host_port).value_or(0);
    entry["Type"] = parts ? parts->second : std::string_view("tcp");
    out.push_back(std::move(entry));
  };
  for (const auto& item : port_map(record)) {
    std::string port(item.key());
    const auto* bindings = item.value().if_array();
    if (!bindings) row(port, "", "");
    for (size_t i = 0; bindings && i < bindings->size(); ++i) {
      const auto& binding = (*bindings)[i].get_object();
      row(port, std::string(binding.at("HostIp").get_string()), std::string(binding.at("HostPort").get_string()));
    }
  }
  return out;
}

}  // namespace

json::object container_config_object(const container::ContainerConfig& config) {
  json::object out = codec::write_json(config).as_object();
  omit_empty(out,
             {"ExposedPorts", "ArgsEscaped", "NetworkDisabled", "MacAddress", "StopSignal", "Shell", "Healthcheck"});
  null_absent(out, {"Cmd", "Entrypoint", "OnBuild"});
  if (config.volumes.empty()) out["Volumes"] = nullptr;
  return out;
}

/// "db:store" as Docker shows it, "/db:/web/store".
json::array full_links(const std::vector<std::string>& links, const std::string& name) {
  json::array out;
  for (const auto& text : links) {
    auto link = container::parse_link(text);
    out.push_back(json::string(fmt::format("/{}:/{}/{}", link.name, name, link.alias)));
  }
  return out;
}

json::object host_config_object(const container::HostConfig& host, Version version) {
  json::object out = codec::write_json(host).as_object();
  omit_empty(out, {"Mounts", "Annotations", "StorageOpt", "Tmpfs", "Sysctls"});
  null_absent(out, {"Binds",
                    "VolumesFrom",
                    "CapAdd",
                    "CapDrop",
                    "ExtraHosts",
                    "GroupAdd",
                    "Links",
                    "SecurityOpt",
                    "BlkioWeightDevice",
                    "BlkioDeviceReadBps",
                    "BlkioDeviceWriteBps",
                    "BlkioDeviceReadIOps",
                    "BlkioDeviceWriteIOps",
                    "Devices",
                    "DeviceCgroupRules",
                    "DeviceRequests",
                    "Ulimits",
                    "MemorySwappiness",
                    "OomKillDisable",
                    "PidsLimit",
                    "MaskedPaths",
                    "ReadonlyPaths"});
  for (const char* name : {"Dns", "DnsOptions", "DnsSearch"}) {
    if (out[name].get_array().empty()) out[name] = nullptr;
  }
  if (auto* mounts = out.if_contains("Mounts")) {
    for (auto& mount : mounts->as_array()) omit_empty_mount(mount.as_object());
  }
  if (!host.privileged) {
    if (!host.masked_paths) out["MaskedPaths"] = codec::write_json(container::default_masked_paths());
    if (!host.readonly_paths) out["ReadonlyPaths"] = codec::write_json(container::default_readonly_paths());
  }
  if (host.port_bindings.empty()) out["PortBindings"] = json::object();
  if (host.console_size.size() != 2) out["ConsoleSize"] = json::array{0, 0};
  if (version < Version{1, 42}) {
    out["KernelMemory"] = 0;
    out["KernelMemoryTCP"] = 0;
  }
  if (version < Version{1, 43}) out.erase("Annotations");
  return out;
}

json::array format_mounts(const std::vector<container::MountPoint>& mounts) {
  json::array out;
  for (const auto& mount : mounts) {
    json::object entry;
    entry["Type"] = mount.type;
    if (!mount.name.empty()) entry["Name"] = mount.name;
    entry["Source"] = mount.source;
    entry["Destination"] = mount.destination;
    if (!mount.driver.empty()) entry["Driver"] = mount.driver;
    entry["Mode"] = mount.mode;
    entry["RW"] = mount.rw;
    entry["Propagation"] = mount.propagation;
    out.push_back(std::move(entry));
  }
  return out;
}

json::object format_endpoint(const container::EndpointSettings& endpoint, Version version) {
  json::object out = codec::write_json(endpoint).as_object();
  if (endpoint.ipam_config) {
    omit_empty(out["IPAMConfig"].as_object(), {"IPv4Address", "IPv6Address", "LinkLocalIPs"});
  }
  for (const char* name : {"IPAMConfig", "Links", "Aliases", "DriverOpts", "DNSNames"}) {
    if (!out.contains(name)) out[name] = nullptr;
  }
  if (version < Version{1, 45}) out.erase("DNSNames");
  if (version < Version{1, 48}) out.erase("GwPriority");
  return out;
}

json::object format_inspect(const ContainerRecord& record, const InspectFacts& facts, Version version) {
  json::object out;
  out["Id"] = record.id;
  out["Created"] = record.created;
  out["Path"] = record.path;
  out["Args"] = codec::write_json(record.args);
  out["State"] = state_object(record);
  out["Image"] = record.image_id;
  out["ResolvConfPath"] = record.resolv_conf_path;
  out["HostnamePath"] = record.hostname_path;
  out["HostsPath"] = record.hosts_path;
  out["LogPath"] = record.log_path;
  out["Name"] = "/" + record.name;
  out["RestartCount"] = record.restart_count;
  out["Driver"] = facts.driver;
  out["Platform"] = record.platform;
  out["MountLabel"] = "";
  out["ProcessLabel"] = "";
  out["AppArmorProfile"] = "";
  out["ExecIDs"] = null_if_empty(facts.exec_ids);
  out["HostConfig"] = host_config_object(record.host_config, version);
  if (const auto& links = record.host_config.links; links && !links->empty())
    out["HostConfig"].as_object()["Links"] = full_links(*links, record.name);
  out["GraphDriver"] = graph_driver(facts);
  if (facts.sizes) {
    out["SizeRw"] = facts.sizes->first;
    out["SizeRootFs"] = facts.sizes->second;
  }
  out["Mounts"] = format_mounts(record.mounts);
  out["Config"] = container_config_object(record.config);
  out["NetworkSettings"] = network_settings(record, version);
  return out;
}

json::object format_row(const ContainerRecord& record, const RowFacts& facts, Version version) {
  json::object out;
  out["Id"] = record.id;
  out["Names"] = json::array{json::string("/" + record.name)};
  out["Image"] = facts.image;
  out["ImageID"] = record.image_id;
  out["Command"] = command_line(record);
  out["Created"] = unix_seconds(record.created);
  out["Ports"] = port_rows(record);
  if (facts.sizes) {
    if (facts.sizes->first != 0) out["SizeRw"] = facts.sizes->first;
    if (facts.sizes->second != 0) out["SizeRootFs"] = facts.sizes->second;
  }
  out["Labels"] = codec::write_json(record.config.labels);
  out["State"] = record.state.status;
  out["Status"] = format_status(record.state, facts.now_unix);
  json::object host{{"NetworkMode", json::string(record.host_config.network_mode)}};
  if (version >= Version{1, 46} && !record.host_config.annotations.empty()) {
    host["Annotations"] = codec::write_json(record.host_config.annotations);
  }
  out["HostConfig"] = std::move(host);
  out["NetworkSettings"] = json::object{{"Networks", endpoints(record, version)}};
  out["Mounts"] = format_mounts(record.mounts);
  return out;
}

}  // namespace sampan::api
