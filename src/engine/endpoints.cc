// A container's place on its networks while it runs: attaching, what inspect shows of it, and what a restarted daemon
// needs to find it again.

#include <algorithm>

#include "base/strings.h"
#include "codec/json.h"
#include "container/link.h"
#include "engine/internal/start_attempt.h"
#include "sys/file.h"

namespace sampan::network {
BOOST_DESCRIBE_STRUCT(PortMapping, (), (protocol, container_port, host_ip, host_port))
BOOST_DESCRIBE_STRUCT(Endpoint, (),
                      (network_id, endpoint_id, container_id, container_name, dns_names, interface_name, host_interface,
                       ip_address, gateway, mac_address, prefix_len, ports))
}  // namespace sampan::network

namespace sampan::engine {

namespace {

constexpr const char* kEndpoints = "endpoints";  // kind of the documents: one list per running container

/// "80/tcp" or "80".
std::optional<std::pair<uint16_t, std::string>> parse_port(const std::string& text) {
  auto parts = split_once(text, '/');
  auto number = parse_uint(parts ? parts->first : std::string_view(text));
  if (!number || *number == 0 || *number > 65535) return std::nullopt;
  return std::pair(static_cast<uint16_t>(*number), parts ? std::string(parts->second) : std::string("tcp"));
}

/// "8080", "8000-8010" or "".
struct PortRange {
  uint16_t first = 0, last = 0;
};
Result<PortRange> parse_host_port(const std::string& text) {
  if (text.empty()) return PortRange{};
  auto parts = split_once(text, '-');
  auto first = parse_uint(parts ? parts->first : std::string_view(text));
  auto last = parts ? parse_uint(parts->second) : first;
  if (!first || !last || *first > *last || *last > 65535) {
    return fail(Code::InvalidArgument, "invalid port specification: \"{}\"", text);
  }
  return PortRange{static_cast<uint16_t>(*first), static_cast<uint16_t>(*last)};
}

struct WantedPort {
  network::PortMapping mapping;
  PortRange range;
};

Result<std::vector<WantedPort>> wanted_ports(const ContainerRecord& record) {
  std::vector<WantedPort> out;
  const auto& host = record.host_config;
  for (const auto& [text, bindings] : host.port_bindings) {
    auto port = parse_port(text);
    if (!port) return fail(Code::InvalidArgument, "invalid port specification: \"{}\"", text);
    if (!bindings || bindings->empty()) {
      out.push_back({{port->second, port->first, "", 0}, {}});
      continue;
    }
    for (const auto& binding : *bindings) {
      auto range = TRY(parse_host_port(binding.host_port));
      out.push_back({{port->second, port->first, binding.host_ip, range.first}, range});
    }
  }
  if (!host.publish_all_ports) return out;
  for (const auto& text : record.config.exposed_ports) {
    auto port = parse_port(text);
    if (!port || host.port_bindings.contains(text)) continue;
    out.push_back({{port->second, port->first, "", 0}, {}});
  }
  return out;
}

/// Attaches; while a port of a range is taken the next one is tried.
Result<network::Endpoint> attach_with_ports(network::Networks& networks, network::AttachRequest request,
                                            std::vector<WantedPort> wanted, const sys::NsFd& ns,
                                            const sys::Fd& netlink) {
  for (;;) {
    request.ports.clear();
    for (const auto& port : wanted) request.ports.push_back(port.mapping);
    auto endpoint = networks.attach(request, ns, netlink);
    if (endpoint || endpoint.error().code() != Code::Conflict) return endpoint;
    bool moved = false;
    std::string text = endpoint.error().message();
    for (auto& port : wanted) {
      if (text.find(fmt::format(":{} failed", port.mapping.host_port)) == std::string::npos) continue;
      if (port.mapping.host_port == 0 || port.mapping.host_port >= port.range.last) continue;
      ++port.mapping.host_port;
      moved = true;
      break;
    }
    if (!moved) return endpoint;
  }
}

/// The network of the mode first: it brings the default gateway and the ports.
std::vector<std::string> ordered_networks(const ContainerRecord& record) {
  std::vector<std::string> out;
  for (const auto& [name, settings] : record.networks) out.push_back(name);
  const std::string& mode = record.host_config.network_mode;
  std::ranges::sort(out, [&](const std::string& a, const std::string& b) {
    auto rank = [&](const std::string& name) {
      return std::tuple(-record.networks.at(name).gw_priority, name != mode, name);
    };
    return rank(a) < rank(b);
  });
  return out;
}

bool only_loopback_resolvers(const std::string& resolv_conf) {
  for (const auto& line : split(resolv_conf, '\n')) {
    auto trimmed = trim(line);
    if (!trimmed.starts_with("nameserver")) continue;
    auto address = trim(trimmed.substr(10));
    if (!address.starts_with("127.") && address != "::1") return false;
  }
  return true;
}

}  // namespace

Result<void> Core::join_networks(StartAttempt& attempt) {
  ContainerRecord& record = attempt.record;
  const std::string& mode = record.host_config.network_mode;
  TRY(join_user_namespace(attempt));
  if (mode == "host" || mode.starts_with("container:")) return {};
  attempt.netns = TRY_CONTEXT(make_netns(attempt), "make a network namespace");
  if (mode == "none" || record.config.network_disabled) return {};
  size_t index = 0;
  for (const auto& name : ordered_networks(record)) {
    if (name == "none") continue;
    TRY(attach_network(record, name, index++, attempt.netns.ns, attempt.netns.netlink, attempt.endpoints));
  }
  return {};
}

Result<void> Core::attach_network(const ContainerRecord& record, const std::string& name, size_t index,
                                  const sys::NsFd& ns, const sys::Fd& netlink,
                                  std::vector<network::Endpoint>& endpoints) {
  auto known = networks_->get(name);
  if (!known) return fail(Code::NotFound, "network {} not found", name);
  network::AttachRequest request;
  request.network = known->id;
  request.container_id = record.id;
  request.container_name = record.name;
  request.interface_name = fmt::format("eth{}", index);
  // The way out is through the first network that has one.
  request.default_gateway = !known->internal && std::ranges::none_of(endpoints, [&](const network::Endpoint& other) {
    auto joined = networks_->get(other.network_id);
    return joined && !joined->internal;
  });
  if (auto it = record.networks.find(name); it != record.networks.end()) {
    const auto& settings = it->second;
    if (settings.aliases) request.aliases = *settings.aliases;
    if (settings.ipam_config) request.wanted_ip = settings.ipam_config->ipv4_address;
    request.wanted_mac = settings.mac_address;
  }
  std::vector<WantedPort> ports;
  if (index == 0) ports = TRY(wanted_ports(record));
  endpoints.push_back(TRY(attach_with_ports(*networks_, std::move(request), std::move(ports), ns, netlink)));
  return {};
}

void Core::detach_networks(std::vector<network::Endpoint>& endpoints) {
  for (const auto& endpoint : endpoints) {
    (void)networks_->detach(endpoint);  // what stays is nobody's and goes when the namespace does, or at recover()
  }
  endpoints.clear();
}

/// Deleting a link waits some 25 ms for the kernel. Nobody waits with it unless the endpoint holds what the next
/// container may ask for by name: ports, an address of its choice.
void Core::detach_after_exit(const ContainerRecord& record, std::vector<network::Endpoint>& endpoints) {
  bool fixed =
      std::ranges::any_of(record.networks, [](const auto& item) { return item.second.ipam_config.has_value(); });
  bool published = std::ranges::any_of(endpoints, [](const auto& endpoint) { return !endpoint.ports.empty(); });
  if (endpoints.empty() || fixed || published) return detach_networks(endpoints);
  {
    std::lock_guard lock(detaches_mutex_);
    ++detaches_;
  }
  auto leaving = std::make_shared<std::vector<network::Endpoint>>(std::move(endpoints));
  endpoints.clear();
  workers_.post("detach " + leaving->front().endpoint_id, [this, leaving] {
    detach_networks(*leaving);
    std::lock_guard lock(detaches_mutex_);
    --detaches_;
    detached_.notify_all();
  });
}

void Core::wait_for_detaches() {
  std::unique_lock lock(detaches_mutex_);
  detached_.wait_for(lock, std::chrono::seconds(2), [&] { return detaches_ == 0; });
}

/// Who looks at networks finds no endpoint of a container that has ended.
network::Networks& Core::networks() {
  wait_for_detaches();
  return *networks_;
}

void Core::show_endpoints(ContainerRecord& record, const std::vector<network::Endpoint>& endpoints) const {
  record.ports.clear();
  for (const auto& endpoint : endpoints) {
    auto network = networks_->get(endpoint.network_id);
    auto& shown = record.networks[network ? network->name : endpoint.network_id];
    shown.network_id = endpoint.network_id;
    shown.endpoint_id = endpoint.endpoint_id;
    shown.gateway = endpoint.gateway;
    shown.ip_address = endpoint.ip_address;
    shown.ip_prefix_len = endpoint.prefix_len;
    shown.mac_address = endpoint.mac_address;
    shown.dns_names = endpoint.dns_names;
    for (const auto& port : endpoint.ports) {
      record.ports[fmt::format("{}/{}", port.container_port, port.protocol)].push_back(
          {port.host_ip.empty() ? "0.0.0.0" : port.host_ip, std::to_string(port.host_port)});
    }
  }
  for (const char* plain : {"none", "host"}) {
    auto it = record.networks.find(plain);
    if (it == record.networks.end()) continue;
    if (auto network = networks_->get(plain)) it->second.network_id = network->id;
  }
}

Result<void> Core::save_endpoints(const std::string& id, const std::vector<network::Endpoint>& endpoints) {
  if (endpoints.empty()) return {};
  return store::put_document(*store_, kEndpoints, id, codec::to_json(endpoints));
}

std::vector<network::Endpoint> Core::load_endpoints(const std::string& id) {
  auto text = store::find_document(*store_, kEndpoints, id);
  if (!text || !*text) return {};
  return codec::from_json<std::vector<network::Endpoint>>(**text).value_or({});
}

/// Names of other containers. Only on the default network, which resolves none, must they run already; elsewhere one
/// that does not run yet is just not listed.
Result<void> Core::add_links(const ContainerRecord& record, std::vector<container::HostsEntry>& hosts) {
  auto add = [&](const std::string& network, const std::string& link) -> Result<void> {
    auto [name, alias] = container::parse_link(link);
    auto other = TRY(containers_.get(name)).record;
    auto address = other->networks.find(network);
    if (address != other->networks.end() && !address->second.ip_address.empty()) {
      hosts.push_back({address->second.ip_address, {alias, other->config.hostname, other->name}});
      return {};
    }
    if (network != "bridge") return {};
    return fail(Code::Conflict, "Cannot link to a non running container: /{} AS /{}/{}", other->name, record.name,
                alias);
  };
  for (const auto& link : record.host_config.links.value_or(std::vector<std::string>())) {
    TRY(add(record.host_config.network_mode, link));
  }
  for (const auto& [network, settings] : record.networks) {
    if (network == "bridge") continue;
    for (const auto& link : settings.links.value_or(std::vector<std::string>())) TRY(add(network, link));
  }
  return {};
}

Result<std::string> Core::hosts_text(const ContainerRecord& record, const std::vector<network::Endpoint>& endpoints) {
  std::vector<container::HostsEntry> own;
  for (const auto& endpoint : endpoints) {
    std::vector<std::string> names;
    if (!record.config.domainname.empty()) names.push_back(record.config.hostname + "." + record.config.domainname);
    names.push_back(record.config.hostname);
    own.push_back({endpoint.ip_address, std::move(names)});
  }
  TRY(add_links(record, own));
  std::string gateway = join(options_.host_gateways, ",");
  if (!gateway.empty()) return container::format_hosts(record, own, gateway);
  if (auto bridge = networks_->get("bridge")) gateway = bridge->gateway;
  return container::format_hosts(record, own, gateway);
}

Result<void> Core::write_files(StartAttempt& attempt) {
  ContainerRecord& record = attempt.record;
  if (record.host_config.network_mode.starts_with("container:")) {
    auto owner = TRY(namespace_owner(record.host_config.network_mode, "network"));
    record.hostname_path = owner->hostname_path;
    record.hosts_path = owner->hosts_path;
    record.config.hostname = owner->config.hostname;
    record.config.domainname = owner->config.domainname;
    record.resolv_conf_path = owner->resolv_conf_path;
    return {};
  }
  std::string nameserver;
  for (const auto& endpoint : attempt.endpoints) {
    if (nameserver.empty()) nameserver = networks_->nameserver(endpoint.network_id);
  }
  auto config = record.host_config;
  if (config.dns.empty() && nameserver.empty()) config.dns = options_.dns;
  std::string host = sys::read_file("/etc/resolv.conf").value_or("");
  // A resolver on the host's loopback is out of reach from a network of the container's own: ours asks it instead.
  if (config.dns.empty() && nameserver.empty() && !attempt.endpoints.empty() && only_loopback_resolvers(host)) {
    nameserver = networks_->resolver_address(attempt.endpoints.front().network_id);
  }
  if (record.host_config.network_mode == "host" && record.config.hostname.empty()) {
    record.config.hostname = std::string(trim(sys::read_file("/proc/sys/kernel/hostname").value_or("")));
  }
  // Not synced: they are written again at each start.
  TRY(sys::make_dirs(container_dir(record.id)));
  TRY(sys::replace_file(record.hostname_path, record.config.hostname + "\n", 0644, sys::Durable::No));
  TRY(sys::replace_file(record.hosts_path, TRY(hosts_text(record, attempt.endpoints)), 0644, sys::Durable::No));
  TRY(sys::replace_file(record.resolv_conf_path, container::format_resolv_conf(config, host, nameserver), 0644,
                        sys::Durable::No));
  for (const auto* path : {&record.hostname_path, &record.hosts_path, &record.resolv_conf_path})
    TRY(give_to_root_of(attempt.facts.user_mappings, *path));
  return {};
}

}  // namespace sampan::engine
