#include "network/internal/records.h"

#include <sys/random.h>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/text.h"
#include "network/internal/address_pool.h"

namespace sampan::network {

BOOST_DESCRIBE_STRUCT(NetworkRecord, (),
                      (id, name, driver, scope, created, subnet, gateway, ip_range, bridge, internal, attachable,
                       enable_ipv6, builtin, options, labels))
inline codec::JsonStyle json_style(const NetworkRecord*) {
  return {codec::Naming::Snake, codec::Emit::NonEmpty, {}};
}

namespace {

constexpr const char* kKind = "network";
constexpr size_t kMaxInterfaceName = 15;

std::string now_text() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return codec::format_rfc3339({std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()});
}

NetworkRecord builtin_record(const char* name, const char* driver) {
  NetworkRecord record;
  record.id = random_hex_id();
  record.name = name;
  record.driver = driver;
  record.created = now_text();
  record.builtin = true;
  return record;
}

bool is_interface_name(const std::string& name) {
  return name.size() <= kMaxInterfaceName && is_safe_component(name);
}

Result<void> validate_options(const std::map<std::string, std::string>& options) {
  for (const auto& [key, value] : options) {
    if (key == kOptionIcc || key == kOptionMasquerade) {
      if (value != "true" && value != "false" && value != "0" && value != "1") {
        return fail(Code::InvalidArgument, "invalid value for {}: {}", key, value);
      }
    } else if (key == kOptionMtu) {
      auto mtu = parse_uint(value);
      if (!mtu || *mtu < 68 || *mtu > 65535) return fail(Code::InvalidArgument, "invalid value for {}: {}", key, value);
    } else if (key == kOptionHostBinding) {
      if (!parse_ipv4(value)) return fail(Code::InvalidArgument, "invalid value for {}: {}", key, value);
    } else if (key == kOptionBridgeName) {
      if (!is_interface_name(value)) return fail(Code::InvalidArgument, "invalid bridge name: {}", value);
    } else if (key.starts_with("com.docker.network.")) {
      return fail(Code::NotImplemented, "network option {} is not supported", key);
    }
  }
  return {};
}

Result<void> validate_name(const CreateNetwork& request, std::span<const NetworkRecord> existing) {
  if (request.name == "bridge" || request.name == "host" || request.name == "none") {
    return fail(Code::PermissionDenied, "operation is not permitted on predefined {} network", request.name);
  }
  if (!is_safe_component(request.name)) return fail(Code::InvalidArgument, "invalid network name: {}", request.name);
  for (const auto& other : existing) {
    if (other.name == request.name) return fail(Code::Conflict, "network with name {} already exists", request.name);
  }
  return {};
}

Result<void> validate_driver(const std::string& driver) {
  if (driver.empty() || driver == "bridge") return {};
  if (driver == "host" || driver == "null") {
    return fail(Code::PermissionDenied, "only one instance of \"{}\" network is allowed", driver);
  }
  return fail(Code::NotFound, "could not find a plugin driver for type \"{}\"", driver);
}

Result<void> take_wanted_subnet(NetworkRecord& record, const CreateNetwork& request,
                                std::span<const NetworkRecord> existing) {
  Prefix subnet = TRY(parse_prefix(request.subnet));
  if (subnet.length > 30) return fail(Code::InvalidArgument, "subnet {} has no room for containers", request.subnet);
  for (const auto& other : existing) {
    auto prefix = parse_prefix(other.subnet);
    if (prefix && prefix->overlaps(subnet)) {
      return fail(Code::PermissionDenied, "invalid pool request: Pool overlaps with other one on this address space");
    }
  }
  record.subnet = format_prefix(subnet);
  record.gateway = request.gateway.empty() ? format_ipv4(subnet.network + 1) : request.gateway;
  return {};
}

Result<void> validate_addresses(const NetworkRecord& record) {
  Prefix subnet = TRY(parse_prefix(record.subnet));
  auto gateway = parse_ipv4(record.gateway);
  if (!gateway || !subnet.contains(*gateway) || *gateway == subnet.network || *gateway == subnet.last()) {
    return fail(Code::InvalidArgument, "no matching subnet for gateway {}", record.gateway);
  }
  if (record.ip_range.empty()) return {};
  Prefix range = TRY(parse_prefix(record.ip_range));
  if (!subnet.contains(range.network) || range.length < subnet.length) {
    return fail(Code::InvalidArgument, "no matching subnet for range {}", record.ip_range);
  }
  return {};
}

}  // namespace

bool is_option_on(const NetworkRecord& network, const char* key) {
  auto found = network.options.find(key);
  return found == network.options.end() || (found->second != "false" && found->second != "0");
}

uint32_t mtu_of(const NetworkRecord& network) {
  auto found = network.options.find(kOptionMtu);
  return found == network.options.end() ? 0 : static_cast<uint32_t>(parse_uint(found->second).value_or(0));
}

std::string random_hex_id() {
  std::string bytes(32, '\0');
  // Up to 256 bytes come whole once the generator is seeded, and it is long before a daemon starts.
  while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
  }
  return codec::format_hex(bytes);
}

Result<std::vector<NetworkRecord>> load_records(store::Store& store) {
  std::vector<NetworkRecord> out;
  for (auto& [key, text] : TRY(store::list_documents(store, kKind))) {
    auto record = codec::from_json<NetworkRecord>(text);
    if (record && record->id == key) {
      out.push_back(std::move(*record));
      continue;
    }
    std::string reason = record ? "the id is not the key" : record.error().message();
    TRY(store::quarantine_document(store, kKind, key, reason));
  }
  return out;
}

Result<void> save_record(store::Store& store, const NetworkRecord& record) {
  return store::put_document(store, kKind, record.id, codec::to_json(record));
}

Result<void> delete_record(store::Store& store, const std::string& id) {
  return store::delete_document(store, kKind, id);
}

std::vector<NetworkRecord> make_builtin_records(const std::string& default_bridge) {
  NetworkRecord bridge = builtin_record("bridge", "bridge");
  bridge.bridge = default_bridge;
  bridge.options = {{"com.docker.network.bridge.default_bridge", "true"},
                    {kOptionIcc, "true"},
                    {kOptionMasquerade, "true"},
                    {kOptionHostBinding, "0.0.0.0"},
                    {kOptionBridgeName, default_bridge},
                    {kOptionMtu, "1500"}};
  return {bridge, builtin_record("host", "host"), builtin_record("none", "null")};
}

Result<void> choose_addresses(NetworkRecord& record, const std::string& wanted, std::span<const Prefix> taken) {
  if (wanted.empty()) {
    Prefix subnet = TRY(choose_subnet(taken));
    record.subnet = format_prefix(subnet);
    record.gateway = format_ipv4(subnet.network + 1);
    return {};
  }
  Prefix subnet = TRY(parse_prefix(wanted));
  record.subnet = format_prefix(subnet);
  record.gateway = std::string(split_once(wanted, '/')->first);
  return validate_addresses(record);
}

Result<NetworkRecord> make_record(const CreateNetwork& request, std::span<const NetworkRecord> existing,
                                  std::span<const Prefix> host) {
  TRY(validate_name(request, existing));
  TRY(validate_driver(request.driver));
  TRY(validate_options(request.options));
  if (request.subnet.empty() && (!request.gateway.empty() || !request.ip_range.empty())) {
    return fail(Code::InvalidArgument, "gateway and ip-range need a subnet");
  }
  NetworkRecord record;
  record.id = random_hex_id();
  record.name = request.name;
  record.driver = "bridge";
  record.created = now_text();
  record.ip_range = request.ip_range;
  record.internal = request.internal;
  record.attachable = request.attachable;
  record.enable_ipv6 = request.enable_ipv6;
  record.options = request.options;
  record.labels = request.labels;
  auto name = request.options.find(kOptionBridgeName);
  record.bridge = name != request.options.end() ? name->second : "sp-" + record.id.substr(0, 12);
  for (const auto& other : existing) {
    if (other.bridge == record.bridge) return fail(Code::Conflict, "bridge {} is already in use", record.bridge);
  }
  if (!request.subnet.empty()) {
    TRY(take_wanted_subnet(record, request, existing));
  } else {
    TRY(choose_addresses(record, "", host));
  }
  TRY(validate_addresses(record));
  return record;
}

}  // namespace sampan::network
