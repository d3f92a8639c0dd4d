#include <arpa/inet.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "cli/format/table.h"
#include "cli/values/body.h"
#include "cli/values/values.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr Column kColumns[] = {{"ID", "NETWORK ID"},     {"Name", "NAME"},     {"Driver", "DRIVER"},
                               {"Scope", "SCOPE"},       {"IPv4", "IPV4"},     {"IPv6", "IPV6"},
                               {"Internal", "INTERNAL"}, {"Labels", "LABELS"}, {"CreatedAt", "CREATED AT"}};
constexpr TableShape kShape{kColumns, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"};

// 2024-05-01T10:00:00.5Z as Go prints a time: 2024-05-01 10:00:00.5 +0000 UTC.
std::string go_time(std::string text) {
  if (size_t t = text.find('T'); t != std::string::npos) text[t] = ' ';
  if (text.ends_with('Z')) text.replace(text.size() - 1, 1, " +0000 UTC");
  return text;
}

const char* yes_no(bool yes) {
  return yes ? "true" : "false";
}

json::value row_of(const json::value& network, bool full) {
  std::string id = text_at(network, "Id");
  return json::object{{"CreatedAt", go_time(text_at(network, "Created"))},
                      {"Driver", text_at(network, "Driver")},
                      {"ID", full ? id : short_id(id)},
                      {"IPv4", yes_no(flag_at(network, "EnableIPv4"))},
                      {"IPv6", yes_no(flag_at(network, "EnableIPv6"))},
                      {"Internal", yes_no(flag_at(network, "Internal"))},
                      {"Labels", labels_text(member_at(network, "Labels"))},
                      {"Name", text_at(network, "Name")},
                      {"Scope", text_at(network, "Scope")}};
}

struct Prefix {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};
  int bits = 0;
};

bool is_inside(const Prefix& subnet, const Prefix& other) {
  if (subnet.v6 != other.v6 || subnet.bits > other.bits) return false;
  for (int bit = 0; bit < subnet.bits; ++bit) {
    auto at = static_cast<size_t>(bit / 8);
    int mask = 0x80 >> (bit % 8);
    if ((subnet.bytes[at] & mask) != (other.bytes[at] & mask)) return false;
  }
  return true;
}

// "10.0.0.0/8" or a bare address, for matching gateways and ranges to their subnets.
std::optional<Prefix> parse_prefix(std::string_view text) {
  auto pair = split_once(text, '/');
  std::string address(pair ? pair->first : text);
  Prefix out;
  out.v6 = address.find(':') != std::string::npos;
  if (::inet_pton(out.v6 ? AF_INET6 : AF_INET, address.c_str(), out.bytes.data()) != 1) return std::nullopt;
  int longest = out.v6 ? 128 : 32;
  auto bits = pair ? parse_uint(pair->second) : std::optional<uint64_t>(longest);
  if (!bits || *bits > static_cast<uint64_t>(longest)) return std::nullopt;
  out.bits = static_cast<int>(*bits);
  return out;
}

// Each --ip-range, --gateway and --aux-address belongs to the subnet that holds it.
class PoolBuilder {
 public:
  Result<void> add_subnet(const std::string& text) {
    auto prefix = parse_prefix(text);
    if (!prefix) return fail(Code::InvalidArgument, "invalid CIDR address: {}", text);
    for (const auto& [other, pool] : pools_) {
      if (is_inside(other, *prefix) || is_inside(*prefix, other)) {
        return fail(Code::InvalidArgument, "multiple overlapping subnet configuration is not supported");
      }
    }
    pools_.emplace_back(*prefix, json::object{{"Subnet", text}});
    return {};
  }
  Result<void> add(const char* member, const char* what, const std::string& text) {
    json::object* pool = TRY(find(what, text));
    if (pool->contains(member))
      return fail(Code::InvalidArgument, "cannot configure multiple {}s ({}) on the same subnet", what, text);
    (*pool)[member] = text;
    return {};
  }
  Result<void> add_auxiliary(const std::string& name, const std::string& address) {
    json::object* pool = TRY(find("aux-address", address));
    auto& slot = (*pool)["AuxiliaryAddresses"];
    if (!slot.is_object()) slot = json::object();
    slot.get_object()[name] = address;
    return {};
  }
  json::array pools() const {
    json::array out;
    for (const auto& [prefix, pool] : pools_) out.push_back(pool);
    return out;
  }

 private:
  Result<json::object*> find(const char* what, const std::string& text) {
    auto prefix = parse_prefix(text);
    if (prefix) {
      for (auto& [subnet, pool] : pools_) {
        if (is_inside(subnet, *prefix)) return &pool;
      }
    }
    return fail(Code::InvalidArgument, "no matching subnet for {} {}", what, text);
  }
  std::vector<std::pair<Prefix, json::object>> pools_;
};

std::vector<std::string> comma_values(const Arguments& arguments, std::string_view name) {
  std::vector<std::string> out;
  for (const std::string& text : arguments.all(name)) {
    for (std::string& piece : split(text, ',')) out.push_back(std::move(piece));
  }
  return out;
}

Result<json::array> address_pools(const Arguments& arguments) {
  PoolBuilder builder;
  auto subnets = comma_values(arguments, "subnet");
  if (subnets.empty() && (arguments.has("ip-range") || arguments.has("gateway"))) {
    return fail(Code::InvalidArgument, "every ip-range or gateway must have a corresponding subnet");
  }
  for (const std::string& text : subnets) TRY(builder.add_subnet(text));
  for (const std::string& text : comma_values(arguments, "ip-range")) TRY(builder.add("IPRange", "ip-range", text));
  for (const std::string& text : comma_values(arguments, "gateway")) TRY(builder.add("Gateway", "gateway", text));
  for (const std::string& text : arguments.all("aux-address")) {
    auto pair = split_once(text, '=');
    if (!pair) return fail(Code::InvalidArgument, "invalid aux-address: {}", text);
    TRY(builder.add_auxiliary(std::string(pair->first), std::string(pair->second)));
  }
  return builder.pools();
}

}  // namespace

Result<int> list_networks(App& app, const Arguments& arguments) {
  std::string format = arguments.get("format");
  bool quiet = arguments.flag("quiet");
  if (format.empty() && !quiet) format = app.config.text("networksFormat");
  auto printer = TRY(TablePrinter::make(kShape, format, quiet));
  Query query("/networks");
  TRY(add_query(arguments, query));
  auto networks = TRY(get_json(app, query.str()));
  std::vector<json::value> rows;
  for (const auto& network : list_at(networks, "")) rows.push_back(row_of(network, arguments.flag("no-trunc")));
  std::ranges::sort(rows, {}, [](const json::value& row) { return text_at(row, "Name"); });
  print_out(TRY(printer.format(rows)));
  return 0;
}

Result<int> create_network(App& app, const Arguments& arguments) {
  json::object body{{"Name", arguments.positional[0]}, {"Driver", arguments.get("driver")}};
  TRY(fill_body(arguments, body));
  put_value(body, "IPAM.Driver", json::string(arguments.get("ipam-driver")), false);
  json::array pools = TRY(address_pools(arguments));
  if (!pools.empty()) put_value(body, "IPAM.Config", std::move(pools), false);
  auto answer = TRY(post_json(app, "/networks/create", body));
  std::string warning = text_at(answer, "Warning");
  if (!warning.empty()) print_err("WARNING: " + warning + "\n");
  print_out(text_at(answer, "Id") + "\n");
  return 0;
}

Result<int> remove_networks(App& app, const Arguments& arguments) {
  return for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    auto removed = request(app, "DELETE", "/networks/" + segment(name));
    if (!removed && arguments.flag("force") && removed.error().code() == Code::NotFound) return std::string();
    if (!removed) return std::move(removed).error();
    return name;
  });
}

Result<int> connect_network(App& app, const Arguments& arguments) {
  NetworkAttachment attachment;
  attachment.aliases = comma_values(arguments, "alias");
  attachment.links = arguments.all("link");
  attachment.link_local_ips = comma_values(arguments, "link-local-ip");
  attachment.ipv4 = arguments.get("ip");
  attachment.ipv6 = arguments.get("ip6");
  attachment.gateway_priority = arguments.number("gw-priority");
  for (const std::string& text : comma_values(arguments, "driver-opt")) {
    auto pair = split_once(text, '=');
    if (!pair) return fail(Code::InvalidArgument, "invalid key value pair format in driver options");
    attachment.driver_options[std::string(pair->first)] = std::string(pair->second);
  }
  json::object body{{"Container", arguments.positional[1]}};
  body["EndpointConfig"] = endpoint_json(attachment);
  TRY(post_json(app, "/networks/" + segment(arguments.positional[0]) + "/connect", body));
  return 0;
}

Result<int> disconnect_network(App& app, const Arguments& arguments) {
  json::object body{{"Container", arguments.positional[1]}, {"Force", arguments.flag("force")}};
  TRY(post_json(app, "/networks/" + segment(arguments.positional[0]) + "/disconnect", body));
  return 0;
}

}  // namespace sampan::cli
