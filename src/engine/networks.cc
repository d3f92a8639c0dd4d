// Networks with their events, and containers joining and leaving them.

#include <fcntl.h>

#include "engine/internal/core.h"
#include "sys/file.h"

namespace sampan::engine {

Result<network::NetworkRecord> Core::create_network(const network::CreateNetwork& request) {
  auto record = TRY(networks_->create(request));
  tell(event_of("network", "create", record.id, {{"name", record.name}, {"type", record.driver}}));
  return record;
}

Result<void> Core::remove_network(const std::string& name) {
  auto record = TRY(networks_->get(name));
  if (record.builtin) {
    return fail(Code::PermissionDenied, "{} is a pre-defined network and cannot be removed", record.name);
  }
  wait_for_detaches();
  auto endpoints = networks_->endpoints(record.id);
  if (!endpoints.empty()) {
    return fail(Code::PermissionDenied, "error while removing network: network {} id {} has active endpoints",
                record.name, record.id);
  }
  TRY(networks_->remove(record.id));
  tell(event_of("network", "destroy", record.id, {{"name", record.name}, {"type", record.driver}}));
  return {};
}

namespace {

/// ethN with the smallest free N.
size_t free_interface(const std::vector<network::Endpoint>& endpoints) {
  for (size_t n = 0;; ++n) {
    std::string name = fmt::format("eth{}", n);
    bool taken = std::ranges::any_of(endpoints, [&](const auto& e) { return e.interface_name == name; });
    if (!taken) return n;
  }
}

/// Over the old content: the container's bind mount is on this very file.
Result<void> rewrite_file(const std::string& path, const std::string& text) {
  auto fd = TRY(sys::open_file(path, O_WRONLY | O_TRUNC | O_NOFOLLOW));
  return sys::write_all(fd.get(), text);
}

}  // namespace

Result<void> Core::connect_network(const std::string& network, const std::string& container,
                                   const container::EndpointSettings& settings) {
  TRY(container::validate_endpoint(settings));
  auto target = TRY(networks_->get(network));
  auto locked = TRY(lock_container(container));
  ContainerRecord record = *locked.record;
  const std::string& mode = record.host_config.network_mode;
  if (mode == "host" || target.driver == "host") {
    return fail(Code::PermissionDenied,
                "container cannot be connected to host network or disconnected from hostnetwork");
  }
  if (mode.starts_with("container:")) {
    return fail(Code::PermissionDenied,
                "container sharing network namespace with another container or host cannot be "
                "connected to any other network");
  }
  if (target.name == "none" || mode == "none") {
    return fail(Code::PermissionDenied,
                "container cannot be connected to multiple networks with one of the networks in "
                "private (none) mode");
  }
  if (record.networks.contains(target.name)) {
    return fail(Code::PermissionDenied, "endpoint with name {} already exists in network {}", record.name, target.name);
  }
  record.networks[target.name] = settings;
  record.networks[target.name].network_id = target.id;
  if (!record.state.running() || record.state.pid == 0) return save(record, {});
  if (!locked.cell->netlink.valid()) locked.cell->netlink = TRY(open_netlink_of(record));
  auto ns = TRY(sys::open_file(fmt::format("/proc/{}/ns/net", record.state.pid), O_RDONLY));
  auto endpoints = locked.cell->endpoints;
  size_t index = free_interface(endpoints);
  std::vector<network::Endpoint> fresh;
  // Never the gateway: the container has one from its first network, unless this is its first.
  TRY(attach_network(record, target.name, endpoints.empty() ? 0 : std::max<size_t>(index, 1), sys::NsFd(ns.release()),
                     locked.cell->netlink, fresh));
  endpoints.insert(endpoints.end(), fresh.begin(), fresh.end());
  show_endpoints(record, endpoints);
  auto saved = save(record, {network_event(target.id, "connect", record.id)},
                    [&] { return save_endpoints(record.id, endpoints); });
  if (!saved) {
    detach_networks(fresh);
    return saved;
  }
  locked.cell->endpoints = std::move(endpoints);
  auto hosts = hosts_text(record, locked.cell->endpoints);
  if (hosts) (void)rewrite_file(record.hosts_path, *hosts);  // names still resolve through the name service
  return {};
}

/// A daemon that was restarted has lost the socket inside the namespace; the zygote opens another.
Result<sys::Fd> Core::open_netlink_of(const ContainerRecord& record) {
  auto ns = TRY(sys::open_file(fmt::format("/proc/{}/ns/net", record.state.pid), O_RDONLY));
  return zygote_->open_netlink(std::move(ns).as<sys::NsFdTag>());
}

Result<void> Core::disconnect_network(const std::string& network, const std::string& container, bool force) {
  auto target = TRY(networks_->get(network));
  auto found = lock_container(container);
  if (!found && !force) return std::move(found).error();
  if (!found) return {};
  auto& locked = *found;
  ContainerRecord record = *locked.record;
  if (record.host_config.network_mode == "host") {
    return fail(Code::PermissionDenied,
                "container cannot be connected to host network or disconnected from hostnetwork");
  }
  if (!record.networks.contains(target.name)) {
    if (force) return {};
    return fail(Code::PermissionDenied, "container {} is not connected to network {}", record.id, target.name);
  }
  record.networks.erase(target.name);
  std::vector<network::Endpoint> leaving, staying;
  for (auto& endpoint : locked.cell->endpoints) {
    (endpoint.network_id == target.id ? leaving : staying).push_back(endpoint);
  }
  if (!leaving.empty()) show_endpoints(record, staying);
  std::vector<Event> events;
  if (!leaving.empty()) events.push_back(network_event(target.id, "disconnect", record.id));
  TRY(save(record, std::move(events), [&]() -> Result<void> {
    if (leaving.empty()) return {};
    if (staying.empty()) return store::delete_document(*store_, "endpoints", record.id);
    return save_endpoints(record.id, staying);
  }));
  detach_networks(leaving);
  locked.cell->endpoints = std::move(staying);
  return {};
}

}  // namespace sampan::engine
