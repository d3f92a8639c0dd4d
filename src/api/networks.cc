#include <algorithm>

#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "api/internal/prune.h"
#include "codec/text.h"

namespace sampan::api {
namespace {

using network::NetworkRecord;

constexpr std::string_view kFilters[] = {"dangling", "driver", "id", "label", "name", "scope", "type"};
constexpr std::string_view kPruneFilters[] = {"label", "label!", "until"};

struct IpamPool {
  std::string subnet, ip_range, gateway;
  std::map<std::string, std::string> auxiliary_addresses;
};
BOOST_DESCRIBE_STRUCT(IpamPool, (), (subnet, ip_range, gateway, auxiliary_addresses))
codec::JsonStyle json_style(const IpamPool*) {
  static constexpr codec::JsonName kNames[] = {{"ip_range", "IPRange"}};
  return {codec::Naming::Pascal, codec::Emit::All, kNames};
}
struct Ipam {
  std::string driver;
  std::vector<IpamPool> config;
  std::map<std::string, std::string> options;
};
BOOST_DESCRIBE_STRUCT(Ipam, (), (driver, config, options))
struct ConfigFrom {
  std::string network;
};
BOOST_DESCRIBE_STRUCT(ConfigFrom, (), (network))
struct CreateBody {
  std::string name, driver, scope;
  std::optional<bool> enable_ipv4, enable_ipv6;
  Ipam ipam;
  bool internal = false, attachable = false, ingress = false, config_only = false;
  ConfigFrom config_from;
  std::map<std::string, std::string> options, labels;
};
BOOST_DESCRIBE_STRUCT(CreateBody, (),
                      (name, driver, scope, enable_ipv4, enable_ipv6, ipam, internal, attachable, ingress, config_only,
                       config_from, options, labels))
codec::JsonStyle json_style(const CreateBody*) {
  static constexpr codec::JsonName kNames[] = {
      {"ipam", "IPAM"}, {"enable_ipv4", "EnableIPv4"}, {"enable_ipv6", "EnableIPv6"}};
  return {codec::Naming::Pascal, codec::Emit::All, kNames};
}
struct ConnectBody {
  std::string container;
  bool force = false;
  container::EndpointSettings endpoint_config;
};
BOOST_DESCRIBE_STRUCT(ConnectBody, (), (container, force, endpoint_config))

Result<void> check_supported(const CreateBody& body) {
  const char* absent = nullptr;
  if (body.ingress) absent = "Ingress";
  if (body.config_only) absent = "ConfigOnly";
  if (!body.config_from.network.empty()) absent = "ConfigFrom";
  if (!body.scope.empty() && body.scope != "local") absent = "Scope";
  if (body.enable_ipv4 && !*body.enable_ipv4) absent = "EnableIPv4=false";
  if (!body.ipam.driver.empty() && body.ipam.driver != "default") absent = "IPAM.Driver";
  if (!body.ipam.options.empty()) absent = "IPAM.Options";
  if (body.ipam.config.size() > 1) absent = "more than one IPAM.Config";
  if (!body.ipam.config.empty() && !body.ipam.config[0].auxiliary_addresses.empty())
    absent = "IPAM.Config.AuxiliaryAddresses";
  if (absent) return fail(Code::NotImplemented, "network create: {} is not implemented", absent);
  return {};
}

json::object format_network(const NetworkRecord& record, Version version) {
  json::array pools;
  if (!record.subnet.empty()) {
    json::object pool{{"Subnet", json::string(record.subnet)}};
    if (!record.gateway.empty()) pool["Gateway"] = record.gateway;
    pools.push_back(std::move(pool));
  }
  json::object out;
  out["Name"] = record.name;
  out["Id"] = record.id;
  out["Created"] = record.created;
  out["Scope"] = record.scope;
  out["Driver"] = record.driver;
  if (version >= Version{1, 48}) out["EnableIPv4"] = true;
  out["EnableIPv6"] = record.enable_ipv6;
  out["IPAM"] = json::object{{"Driver", "default"}, {"Options", nullptr}, {"Config", std::move(pools)}};
  out["Internal"] = record.internal;
  out["Attachable"] = record.attachable;
  out["Ingress"] = false;
  out["ConfigFrom"] = json::object{{"Network", ""}};
  out["ConfigOnly"] = false;
  out["Containers"] = json::object();
  auto options = record.options;
  // Of a user's network only what was asked for: clients compare it with what they would ask for.
  if (record.name == "bridge") options.try_emplace("com.docker.network.bridge.name", record.bridge);
  out["Options"] = codec::write_json(options);
  out["Labels"] = codec::write_json(record.labels);
  return out;
}

json::object endpoint_object(const network::Endpoint& endpoint) {
  std::string address =
      endpoint.ip_address.empty() ? "" : fmt::format("{}/{}", endpoint.ip_address, endpoint.prefix_len);
  return {{"Name", json::string(endpoint.container_name)},
          {"EndpointID", json::string(endpoint.endpoint_id)},
          {"MacAddress", json::string(endpoint.mac_address)},
          {"IPv4Address", json::string(address)},
          {"IPv6Address", ""}};
}

bool contains(const std::vector<std::string>& values, std::string_view value) {
  return std::ranges::find(values, value) != values.end();
}

bool match_part(const std::vector<std::string>& wanted, const std::string& text) {
  return wanted.empty() ||
         std::ranges::any_of(wanted, [&](const auto& want) { return text.find(want) != std::string::npos; });
}

Result<bool> keep(Call& call, const Filters& filters, const NetworkRecord& record) {
  const auto& drivers = filter_values(filters, "driver");
  const auto& scopes = filter_values(filters, "scope");
  const auto& types = filter_values(filters, "type");
  if (!drivers.empty() && !contains(drivers, record.driver)) return false;
  if (!scopes.empty() && !contains(scopes, record.scope)) return false;
  for (const auto& type : types) {
    if (type != "custom" && type != "builtin") return fail(Code::InvalidArgument, "invalid filter: 'type'='{}'", type);
  }
  if (!types.empty() && !contains(types, record.builtin ? "builtin" : "custom")) return false;
  if (!match_part(filter_values(filters, "name"), record.name)) return false;
  if (!match_part(filter_values(filters, "id"), record.id)) return false;
  if (!match_labels(filter_values(filters, "label"), record.labels)) return false;
  auto dangling = TRY(find_bool_filter(filters, "dangling"));
  if (!dangling) return true;
  bool unused = !record.builtin && call.engine().networks().endpoints(record.id).empty();
  return unused == *dangling;
}

}  // namespace

Result<http::Response> list_networks(Call& call) {
  auto filters = TRY(parse_filters(call, kFilters));
  json::array out;
  for (const auto& record : call.engine().networks().list()) {
    if (TRY(keep(call, filters, record))) out.push_back(format_network(record, call.version));
  }
  return json_answer(200, out);
}

Result<http::Response> inspect_network(Call& call) {
  if (std::string scope = call.get("scope"); !scope.empty() && scope != "local") {
    return fail(Code::NotFound, "network {} not found", call.name);
  }
  auto record = TRY(call.engine().networks().get(call.name));
  json::object out = format_network(record, call.version);
  auto& containers = out["Containers"].as_object();
  for (const auto& endpoint : call.engine().networks().endpoints(record.id)) {
    containers[endpoint.container_id] = endpoint_object(endpoint);
  }
  return json_answer(200, out);
}

Result<http::Response> create_network(Call& call) {
  auto body = TRY(codec::from_json<CreateBody>(call.body));
  TRY(check_supported(body));
  network::CreateNetwork request;
  request.name = body.name;
  if (!body.driver.empty()) request.driver = body.driver;
  if (!body.ipam.config.empty()) {
    request.subnet = body.ipam.config[0].subnet;
    request.gateway = body.ipam.config[0].gateway;
    request.ip_range = body.ipam.config[0].ip_range;
  }
  request.internal = body.internal;
  request.attachable = body.attachable;
  request.enable_ipv6 = body.enable_ipv6.value_or(false);
  request.options = std::move(body.options);
  request.labels = std::move(body.labels);
  auto record = TRY(call.engine().create_network(request));
  return json_answer(201, json::object{{"Id", json::string(record.id)}, {"Warning", ""}});
}

Result<http::Response> remove_network(Call& call) {
  TRY(call.engine().remove_network(call.name));
  return empty_answer(204);
}

Result<http::Response> connect_network(Call& call) {
  auto body = TRY(codec::from_json<ConnectBody>(call.body));
  TRY(call.engine().connect_network(call.name, body.container, body.endpoint_config));
  return empty_answer(200);
}

Result<http::Response> disconnect_network(Call& call) {
  auto body = TRY(codec::from_json<ConnectBody>(call.body));
  TRY(call.engine().disconnect_network(call.name, body.container, body.force));
  return empty_answer(200);
}

Result<http::Response> prune_networks(Call& call) {
  auto filters = TRY(parse_filters(call, kPruneFilters));
  auto until = TRY(find_until(filters));
  auto guard = TRY(PruneGuard::acquire(call.services, PruneKind::Networks));
  std::vector<std::string> deleted;
  for (const auto& record : call.engine().networks().list()) {
    if (record.builtin || !call.engine().networks().endpoints(record.id).empty()) continue;
    if (until && unix_seconds(record.created) >= *until / 1'000'000'000) continue;
    if (!match_labels(filter_values(filters, "label"), record.labels)) continue;
    const auto& unwanted = filter_values(filters, "label!");
    if (!unwanted.empty() && match_labels(unwanted, record.labels)) continue;
    // One that came into use meanwhile stays.
    if (call.engine().remove_network(record.id)) deleted.push_back(record.name);
  }
  return json_answer(200, json::object{{"NetworksDeleted", null_if_empty(deleted)}});
}

}  // namespace sampan::api
