#include "network/network.h"

#include <netinet/in.h>
#include <sys/epoll.h>

#include "base/strings.h"
#include "network/internal/address_pool.h"
#include "network/internal/bridge.h"
#include "network/internal/event_loop.h"
#include "network/internal/firewall.h"
#include "network/internal/name_service.h"
#include "network/internal/name_table.h"
#include "network/internal/plan.h"
#include "network/internal/port_relay.h"
#include "network/internal/port_table.h"
#include "network/internal/records.h"
#include "sys/nftables.h"
#include "sys/rtnetlink.h"

namespace sampan::network {

namespace {

constexpr size_t kMaxInterfaceName = 15;

struct Names {
  std::string bridge, table, link_prefix;
};

/// Names in the kernel that are this daemon's alone.
Names names_of(const std::string& instance) {
  if (instance.empty()) return {"sampan0", "sampan", "vsp-"};
  return {"sp" + instance, "sampan_" + instance, "v" + instance + "-"};
}

struct Network {
  NetworkRecord record;
  std::optional<AddressPool> pool;
  int bridge_index = 0;
  std::optional<NamePorts> name_ports = std::nullopt;  // where the name service listens on the gateway

  bool has_bridge() const { return record.driver == "bridge"; }
};

Result<AddressPool> make_pool(const NetworkRecord& record) {
  Prefix subnet = TRY(parse_prefix(record.subnet));
  Prefix range = record.ip_range.empty() ? subnet : TRY(parse_prefix(record.ip_range));
  if (!subnet.contains(range.network) || range.length < subnet.length) {
    return fail(Code::InvalidArgument, "no matching subnet for range {}", record.ip_range);
  }
  return AddressPool(subnet, range, parse_ipv4(record.gateway).value_or(subnet.network + 1));
}

class KernelNetworks final : public Networks {
 public:
  KernelNetworks(store::Store& store, NetworksOptions options, std::unique_ptr<EventLoop> loop)
      : store_(store),
        options_(std::move(options)),
        kernel_(names_of(options_.instance)),
        firewall_(kernel_.table),
        loop_(std::move(loop)),
        relay_(*loop_),
        name_service_(*loop_, names_, options_.upstream_dns),
        ports_(relay_) {}
  ~KernelNetworks() override;

  Result<void> load();
  Result<void> recover(const std::vector<Endpoint>& live) override;
  Result<NetworkRecord> create(const CreateNetwork& request) override;
  Result<NetworkRecord> get(const std::string& id_or_name) override;
  std::vector<NetworkRecord> list() override;
  std::vector<Endpoint> endpoints(const std::string& network_id) override;
  Result<void> remove(const std::string& id_or_name) override;
  Result<Endpoint> attach(const AttachRequest& request, const sys::NsFd& ns, const sys::Fd& netlink_inside) override;
  Result<void> detach(const Endpoint& endpoint) override;
  void rename(const std::string& container_id, const std::string& new_name) override;
  std::string nameserver(const std::string& network_id) override;
  std::string resolver_address(const std::string& network_id) override;
  Result<void> teardown() override;

 private:
  Result<void> add_builtin();
  Result<std::vector<Prefix>> taken_prefixes() const;
  Result<std::string> wanted_subnet(const std::vector<Prefix>& taken) const;
  Result<Network*> find(const std::string& id_or_name);
  Result<void> rebuild_firewall();
  Result<void> open_bridge(Network& network);
  void watch_table();
  void restore_table();
  Result<void> adopt_links(const std::vector<Endpoint>& live);
  void adopt(const Endpoint& endpoint);
  Result<std::pair<Endpoint, Network>> allocate(const AttachRequest& request);
  Result<void> allocate_address(const AttachRequest& request, Network& network, Endpoint& endpoint);
  void give_back(const Endpoint& endpoint);
  Result<void> publish(const std::vector<PublishedPort>& ports);
  void withdraw(const Endpoint& endpoint);
  std::vector<NetworkRecord> records() const;

  store::Store& store_;
  const NetworksOptions options_;
  const Names kernel_;
  Firewall firewall_;
  std::unique_ptr<EventLoop> loop_;
  PortRelay relay_;
  NameTable names_;
  NameService name_service_;
  sys::Fd nft_events_;  // these two are the loop's
  bool table_lost_ = false;

  std::mutex mutex_;  // everything below
  std::map<std::string, Network> networks_;
  std::map<std::string, Endpoint> endpoints_;
  PortTable ports_;
  bool has_table_ = false;
};

std::vector<NetworkRecord> KernelNetworks::records() const {
  std::vector<NetworkRecord> out;
  for (const auto& [id, network] : networks_) out.push_back(network.record);
  return out;
}

Result<std::vector<Prefix>> KernelNetworks::taken_prefixes() const {
  auto taken = TRY(host_prefixes());
  for (const auto& [id, network] : networks_) {
    if (auto prefix = parse_prefix(network.record.subnet)) taken.push_back(*prefix);
  }
  return taken;
}

/// The next subnet of the configured pools with its first address, "" when Docker's list is to be used.
Result<std::string> KernelNetworks::wanted_subnet(const std::vector<Prefix>& taken) const {
  if (options_.pools.empty()) return std::string();
  Prefix subnet = TRY(choose_subnet(options_.pools, taken));
  return fmt::format("{}/{}", format_ipv4(subnet.network + 1), subnet.length);
}

Result<void> KernelNetworks::add_builtin() {
  for (auto& record : make_builtin_records(kernel_.bridge)) {
    auto known =
        std::ranges::find_if(networks_, [&](const auto& item) { return item.second.record.name == record.name; });
    if (record.driver == "bridge" && options_.no_bridge) {
      if (known != networks_.end()) TRY(delete_record(store_, known->first));
      if (known != networks_.end()) networks_.erase(known);
      continue;
    }
    auto options = std::move(record.options);
    if (known != networks_.end()) record = known->second.record;
    record.options = std::move(options);  // what an earlier configuration said is over
    if (record.driver == "bridge") {
      for (const auto& [key, value] : options_.bridge_options) record.options[key] = value;
      record.ip_range = options_.bridge_range;
      std::string wanted = options_.bridge_address;
      if (wanted.empty() && known == networks_.end()) wanted = TRY(wanted_subnet(TRY(taken_prefixes())));
      if (!wanted.empty() || known == networks_.end()) {
        TRY(choose_addresses(record, wanted, TRY(taken_prefixes())));
      }
    }
    TRY(save_record(store_, record));
    networks_[record.id] = {record, std::nullopt};
  }
  return {};
}

Result<void> KernelNetworks::load() {
  std::lock_guard lock(mutex_);
  for (auto& record : TRY(load_records(store_))) networks_[record.id] = {record, std::nullopt};
  TRY(add_builtin());
  for (auto& [id, network] : networks_) {
    if (!network.has_bridge()) continue;
    network.pool = TRY(make_pool(network.record));
    const bool elsewhere =
        network.record.builtin && !options_.bridge_gateway.empty() && options_.bridge_gateway != network.record.gateway;
    if (!elsewhere) continue;
    auto gateway = parse_ipv4(options_.bridge_gateway);
    if (!gateway || !network.pool->take(*gateway))  // no container may have the router's address
      return fail(Code::InvalidArgument, "default gateway {} is not in the bridge's subnet {}", options_.bridge_gateway,
                  network.record.subnet);
  }
  return {};
}

Result<void> KernelNetworks::rebuild_firewall() {
  std::vector<FirewallNetwork> rules;
  for (const auto& [id, network] : networks_) {
    if (!network.has_bridge()) continue;
    auto subnet = TRY(parse_prefix(network.record.subnet));
    rules.push_back(
        {network.record.bridge, subnet, network.record.internal, is_option_on(network.record, kOptionMasquerade)});
  }
  std::vector<PublishedPort> ports;
  for (const auto& [id, endpoint] : endpoints_) {
    for (const auto& port : published_ports(endpoint)) ports.push_back(port);
  }
  constexpr uint16_t kDnsPort = 53;
  for (const auto& [id, network] : networks_) {
    auto gateway = parse_ipv4(network.record.gateway);
    if (!gateway || !network.name_ports) continue;
    ports.push_back({IPPROTO_UDP, *gateway, kDnsPort, *gateway, network.name_ports->udp});
    ports.push_back({IPPROTO_TCP, *gateway, kDnsPort, *gateway, network.name_ports->tcp});
  }
  TRY(firewall_.rebuild(rules, ports));
  has_table_ = true;
  return {};
}

/// The bridge and its name service.
Result<void> KernelNetworks::open_bridge(Network& network) {
  network.bridge_index = TRY(ensure_bridge(network.record));
  network.name_ports = TRY(name_service_.open_zone(network.record));
  return {};
}

/// `nft flush ruleset`, as the restart of a host's firewall does it, takes our table too: put it back at once.
void KernelNetworks::watch_table() {
  auto events = sys::open_nft_events();
  if (!events) return;  // it only makes the repair slower: the next attach finds the table missing
  loop_->run([&] {
    if (nft_events_.valid()) return;
    nft_events_ = std::move(*events);
    (void)loop_->watch(nft_events_.get(), EPOLLIN, [this](uint32_t) {
      if (sys::read_nft_events(nft_events_.get(), firewall_.table())) table_lost_ = true;
      if (table_lost_) restore_table();
    });
    loop_->add_timer(this, [this] { return table_lost_; }, [this] { restore_table(); });
  });
}

void KernelNetworks::restore_table() {
  // Whoever holds the mutex may be waiting for this thread; the timer comes again.
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  table_lost_ = false;
  auto exists = sys::nft_table_exists(firewall_.table());
  if (exists && !*exists && has_table_) (void)rebuild_firewall();  // the next attach tries again and reports
}

KernelNetworks::~KernelNetworks() {
  loop_->run([this] {
    loop_->remove_timers(this);
    if (nft_events_.valid()) loop_->forget(nft_events_.get());
  });
  // The relay must look away before the sockets that hold the ports are closed.
  std::lock_guard lock(mutex_);
  for (const auto& [id, endpoint] : endpoints_) ports_.release(id);
}

void KernelNetworks::adopt(const Endpoint& endpoint) {
  auto network = networks_.find(endpoint.network_id);
  if (network == networks_.end()) return;
  auto address = parse_ipv4(endpoint.ip_address);
  // Two containers that claim one address cannot both be right; the first keeps it and the second keeps working until
  // it stops.
  if (address && network->second.pool) (void)network->second.pool->take(*address);
  endpoints_[endpoint.endpoint_id] = endpoint;
  names_.put(endpoint, network->second.record);
  ports_.adopt(endpoint);
}

/// Removes our links that no live endpoint has, and puts the others back on their bridges.
Result<void> KernelNetworks::adopt_links(const std::vector<Endpoint>& live) {
  std::map<std::string, int> wanted;  // host interface -> bridge
  for (const auto& endpoint : live) {
    auto network = networks_.find(endpoint.network_id);
    if (network != networks_.end()) wanted[endpoint.host_interface] = network->second.bridge_index;
  }
  auto socket = TRY(sys::open_netlink(sys::NetlinkFamily::Route));
  sys::RouteBatch batch;
  for (const auto& link : TRY(sys::list_links(socket.get()))) {
    if (!link.name.starts_with(kernel_.link_prefix)) continue;
    auto owner = wanted.find(link.name);
    if (owner == wanted.end())
      batch.delete_link(link.name);
    else if (link.master != owner->second)
      batch.set_master(link.name, owner->second);
  }
  return batch.run(socket.get());
}

Result<void> KernelNetworks::recover(const std::vector<Endpoint>& live) {
  std::lock_guard lock(mutex_);
  TRY_CONTEXT(ensure_forwarding(), "enable IPv4 forwarding");
  for (auto& [id, network] : networks_) {
    if (network.has_bridge()) {
      TRY_CONTEXT(open_bridge(network), "network " + network.record.name);
    }
  }
  TRY(adopt_links(live));
  for (const auto& endpoint : live) adopt(endpoint);
  watch_table();
  return rebuild_firewall();
}

Result<NetworkRecord> KernelNetworks::create(const CreateNetwork& asked) {
  std::lock_guard lock(mutex_);
  auto existing = records();
  auto taken = TRY(taken_prefixes());
  CreateNetwork request = asked;
  request.options.insert(options_.network_options.begin(), options_.network_options.end());
  if (request.subnet.empty() && request.gateway.empty() && request.ip_range.empty()) {
    request.subnet = TRY(wanted_subnet(taken));
  }
  Network network{TRY(make_record(request, existing, taken)), std::nullopt};
  if (link_exists(network.record.bridge)) {
    return fail(Code::Conflict, "bridge {} is already in use", network.record.bridge);
  }
  network.pool = TRY(make_pool(network.record));
  // The record first: after a crash recover() makes the bridge that it names, and nothing is ever without an owner.
  TRY(save_record(store_, network.record));
  const std::string id = network.record.id;
  auto done = open_bridge(network);
  if (done) {
    networks_[id] = network;
    done = rebuild_firewall();
  }
  if (done) return network.record;
  networks_.erase(id);
  name_service_.close_zone(id);
  (void)delete_links({network.record.bridge});  // the first error is the one to report
  (void)delete_record(store_, id);
  return std::move(done).error();
}

Result<Network*> KernelNetworks::find(const std::string& id_or_name) {
  if (auto exact = networks_.find(id_or_name); exact != networks_.end()) return &exact->second;
  for (auto& [id, network] : networks_) {
    if (network.record.name == id_or_name) return &network;
  }
  Network* found = nullptr;
  for (auto& [id, network] : networks_) {
    if (id_or_name.empty() || !id.starts_with(id_or_name)) continue;
    if (found) {
      return fail(Code::InvalidArgument, "network {} is ambiguous (2 matches found based on ID prefix)", id_or_name);
    }
    found = &network;
  }
  if (!found) return fail(Code::NotFound, "network {} not found", id_or_name);
  return found;
}

Result<NetworkRecord> KernelNetworks::get(const std::string& id_or_name) {
  std::lock_guard lock(mutex_);
  return TRY(find(id_or_name))->record;
}

std::vector<NetworkRecord> KernelNetworks::list() {
  std::lock_guard lock(mutex_);
  return records();
}

std::vector<Endpoint> KernelNetworks::endpoints(const std::string& network_id) {
  std::lock_guard lock(mutex_);
  std::vector<Endpoint> out;
  for (const auto& [id, endpoint] : endpoints_) {
    if (endpoint.network_id == network_id) out.push_back(endpoint);
  }
  return out;
}

Result<void> KernelNetworks::remove(const std::string& id_or_name) {
  std::lock_guard lock(mutex_);
  NetworkRecord record = TRY(find(id_or_name))->record;
  if (record.builtin) {
    return fail(Code::PermissionDenied, "{} is a pre-defined network and cannot be removed", record.name);
  }
  for (const auto& [id, endpoint] : endpoints_) {
    if (endpoint.network_id != record.id) continue;
    return fail(Code::PermissionDenied, "error while removing network: network {} id {} has active endpoints",
                record.name, record.id);
  }
  name_service_.close_zone(record.id);
  TRY(delete_links({record.bridge}));
  TRY(delete_record(store_, record.id));
  networks_.erase(record.id);
  return rebuild_firewall();
}

Result<void> KernelNetworks::allocate_address(const AttachRequest& request, Network& network, Endpoint& endpoint) {
  Ipv4 address = 0;
  if (request.wanted_ip.empty()) {
    address = TRY(network.pool->take_next());
  } else {
    if (network.record.builtin) {
      return fail(Code::InvalidArgument, "user specified IP address is supported on user defined networks only");
    }
    auto wanted = parse_ipv4(request.wanted_ip);
    if (!wanted) return fail(Code::InvalidArgument, "invalid IPv4 address: {}", request.wanted_ip);
    TRY(network.pool->take(*wanted));
    address = *wanted;
  }
  endpoint.ip_address = format_ipv4(address);
  auto mac = request.wanted_mac.empty() ? Result<std::string>(mac_of(address)) : parse_mac(request.wanted_mac);
  if (!mac) {
    network.pool->give_back(address);
    return std::move(mac).error();
  }
  endpoint.mac_address = *mac;
  endpoint.prefix_len = TRY(parse_prefix(network.record.subnet)).length;
  const bool elsewhere = network.record.builtin && !options_.bridge_gateway.empty();
  if (!network.record.internal) endpoint.gateway = elsewhere ? options_.bridge_gateway : network.record.gateway;
  return {};
}

Result<std::pair<Endpoint, Network>> KernelNetworks::allocate(const AttachRequest& request) {
  std::lock_guard lock(mutex_);
  Network& network = *TRY(find(request.network));
  Endpoint endpoint;
  endpoint.network_id = network.record.id;
  endpoint.endpoint_id = random_hex_id();
  endpoint.container_id = request.container_id;
  endpoint.container_name = request.container_name;
  endpoint.interface_name = network.has_bridge() ? request.interface_name : "";
  if (network.has_bridge()) {
    if (network.bridge_index == 0) return fail(Code::Unavailable, "network {} is not ready", network.record.name);
    endpoint.host_interface = (kernel_.link_prefix + endpoint.endpoint_id).substr(0, kMaxInterfaceName);
    TRY(allocate_address(request, network, endpoint));
    if (!network.record.builtin) {
      endpoint.dns_names = {request.container_name};
      for (const auto& alias : request.aliases) endpoint.dns_names.push_back(alias);
      endpoint.dns_names.push_back(request.container_id.substr(0, 12));
    }
  }
  // Nothing outside reaches an internal network; like Docker, it has no published ports.
  if (network.has_bridge() && !network.record.internal) {
    auto wanted = request.ports;
    auto binding = network.record.options.find(kOptionHostBinding);
    for (auto& port : wanted) {
      bool defaulted = port.host_ip.empty() && binding != network.record.options.end();
      if (defaulted && binding->second != "0.0.0.0") port.host_ip = binding->second;
    }
    auto ports = ports_.reserve(endpoint, wanted);
    if (!ports) {
      network.pool->give_back(*parse_ipv4(endpoint.ip_address));
      return std::move(ports).error();
    }
    endpoint.ports = std::move(*ports);
  }
  endpoints_[endpoint.endpoint_id] = endpoint;
  return std::pair(endpoint, network);
}

/// Forgets an endpoint whose link is gone.
void KernelNetworks::give_back(const Endpoint& endpoint) {
  names_.drop(endpoint.endpoint_id);
  std::lock_guard lock(mutex_);
  ports_.release(endpoint.endpoint_id);
  if (!endpoints_.erase(endpoint.endpoint_id)) return;
  auto network = networks_.find(endpoint.network_id);
  auto address = parse_ipv4(endpoint.ip_address);
  if (network != networks_.end() && network->second.pool && address) network->second.pool->give_back(*address);
}

Result<void> KernelNetworks::publish(const std::vector<PublishedPort>& ports) {
  auto added = firewall_.add_ports(ports);
  if (!added && added.error().code() == Code::NotFound) {
    // Somebody flushed the host's rules, ours among them.
    std::lock_guard lock(mutex_);
    added = rebuild_firewall();
  }
  TRY(std::move(added));
  (void)firewall_.forget_udp_flows(ports);  // a stale flow ends by itself when its client is quiet for a while
  return {};
}

Result<Endpoint> KernelNetworks::attach(const AttachRequest& request, const sys::NsFd& ns,
                                        const sys::Fd& netlink_inside) {
  auto [endpoint, network] = TRY(allocate(request));
  if (!network.has_bridge()) return endpoint;
  auto plan = plan_attach(network.record, endpoint, request.default_gateway ? DefaultRoute::Yes : DefaultRoute::No);
  auto applied = apply_attach(plan, network.bridge_index, ns, netlink_inside,
                              [this](const std::vector<PublishedPort>& ports) { return publish(ports); });
  if (applied) {
    names_.put(endpoint, network.record);
    return endpoint;
  }
  withdraw(endpoint);
  give_back(endpoint);
  return std::move(applied).error().context("attach to network " + network.record.name);
}

/// Takes the endpoint's ports out of the firewall.
void KernelNetworks::withdraw(const Endpoint& endpoint) {
  std::lock_guard lock(mutex_);
  auto known = endpoints_.find(endpoint.endpoint_id);
  if (known == endpoints_.end()) return;
  auto ports = published_ports(known->second);
  known->second.ports.clear();
  if (firewall_.remove_ports(ports)) {
    (void)firewall_.forget_udp_flows(ports);  // as in publish()
    return;
  }
  // Elements are missing, so the table is not what we wrote. A failure here leaves elements that lead nowhere until the
  // next rebuild; the container stops all the same.
  (void)rebuild_firewall();
}

Result<void> KernelNetworks::detach(const Endpoint& endpoint) {
  names_.drop(endpoint.endpoint_id);
  withdraw(endpoint);
  bool ours = endpoint.host_interface.starts_with(kernel_.link_prefix);
  Result<void> deleted = ours ? delete_links({endpoint.host_interface}) : Result<void>();
  give_back(endpoint);
  return deleted;
}

void KernelNetworks::rename(const std::string& container_id, const std::string& new_name) {
  std::lock_guard lock(mutex_);
  for (auto& [id, endpoint] : endpoints_) {
    if (endpoint.container_id != container_id) continue;
    std::ranges::replace(endpoint.dns_names, endpoint.container_name, new_name);
    endpoint.container_name = new_name;
    auto network = networks_.find(endpoint.network_id);
    if (network != networks_.end()) names_.put(endpoint, network->second.record);
  }
}

std::string KernelNetworks::resolver_address(const std::string& network_id) {
  std::lock_guard lock(mutex_);
  auto network = networks_.find(network_id);
  return network != networks_.end() && network->second.has_bridge() ? network->second.record.gateway : "";
}

std::string KernelNetworks::nameserver(const std::string& network_id) {
  {
    std::lock_guard lock(mutex_);
    auto network = networks_.find(network_id);
    if (network == networks_.end() || network->second.record.builtin) return "";
  }
  return resolver_address(network_id);
}

Result<void> KernelNetworks::teardown() {
  std::lock_guard lock(mutex_);
  has_table_ = false;
  for (const auto& [id, endpoint] : endpoints_) {
    ports_.release(id);
    names_.drop(id);
  }
  endpoints_.clear();
  std::vector<std::string> names;
  for (auto& [id, network] : networks_) {
    if (!network.has_bridge()) continue;
    names.push_back(network.record.bridge);
    name_service_.close_zone(id);
    network.name_ports.reset();
    network.bridge_index = 0;
    network.pool = TRY(make_pool(network.record));
  }
  TRY(adopt_links({}));
  TRY(delete_links(names));
  return firewall_.destroy();
}

}  // namespace

Result<std::unique_ptr<Networks>> open_networks(store::Store& store, NetworksOptions options) {
  constexpr size_t kMaxInstance = 6;  // leaves room for seven digits of an endpoint's id in a link's name
  if (options.instance.size() > kMaxInstance || (!options.instance.empty() && !is_safe_component(options.instance))) {
    return fail(Code::InvalidArgument, "instance name \"{}\" is longer than 6 characters or not a word",
                options.instance);
  }
  auto networks = std::make_unique<KernelNetworks>(store, std::move(options), TRY(EventLoop::start()));
  TRY(networks->load());
  return std::unique_ptr<Networks>(std::move(networks));
}

}  // namespace sampan::network
