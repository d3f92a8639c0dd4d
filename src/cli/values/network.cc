#include "base/strings.h"
#include "cli/values/values.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

Result<void> set_network_field(NetworkAttachment& out, std::string_view key, const std::string& value) {
  if (key == "name") {
    out.name = value;
  } else if (key == "alias") {
    out.aliases.push_back(value);
  } else if (key == "ip") {
    out.ipv4 = value;
  } else if (key == "ip6") {
    out.ipv6 = value;
  } else if (key == "mac-address") {
    out.mac_address = value;
  } else if (key == "link-local-ip") {
    out.link_local_ips.push_back(value);
  } else if (key == "driver-opt") {
    auto pair = split_once(value, '=');
    if (!pair) return fail(Code::InvalidArgument, "invalid key value pair format in driver options");
    out.driver_options[std::string(pair->first)] = std::string(pair->second);
  } else if (key == "gw-priority") {
    auto number = parse_integer(value);
    if (!number) return fail(Code::InvalidArgument, "invalid gw-priority ({}): value must be an integer", value);
    out.gateway_priority = *number;
  } else {
    return fail(Code::InvalidArgument, "invalid field key {}", key);
  }
  return {};
}

}  // namespace

Result<NetworkAttachment> parse_network(const std::string& text) {
  NetworkAttachment out;
  if (text.find('=') == std::string::npos) {
    out.name = text;
    return out;
  }
  for (const std::string& field : split(text, ',')) {
    auto pair = split_once(field, '=');
    if (!pair) return fail(Code::InvalidArgument, "invalid field {}", field);
    TRY(set_network_field(out, to_lower(trim(pair->first)), std::string(trim(pair->second))));
  }
  if (out.name.empty()) return fail(Code::InvalidArgument, "network name/id is not specified");
  return out;
}

json::value endpoint_json(const NetworkAttachment& attachment) {
  json::object out;
  json::object ipam;
  if (!attachment.ipv4.empty()) ipam["IPv4Address"] = attachment.ipv4;
  if (!attachment.ipv6.empty()) ipam["IPv6Address"] = attachment.ipv6;
  if (!attachment.link_local_ips.empty()) ipam["LinkLocalIPs"] = codec::write_json(attachment.link_local_ips);
  if (!ipam.empty()) out["IPAMConfig"] = ipam;
  if (!attachment.links.empty()) out["Links"] = codec::write_json(attachment.links);
  if (!attachment.aliases.empty()) out["Aliases"] = codec::write_json(attachment.aliases);
  if (!attachment.mac_address.empty()) out["MacAddress"] = attachment.mac_address;
  if (!attachment.driver_options.empty()) out["DriverOpts"] = codec::write_json(attachment.driver_options);
  if (attachment.gateway_priority != 0) out["GwPriority"] = attachment.gateway_priority;
  return out;
}

bool is_predefined_network(std::string_view name) {
  return name.empty() || name == "default" || name == "bridge" || name == "host" || name == "none" ||
         name.starts_with("container:");
}

}  // namespace sampan::cli
