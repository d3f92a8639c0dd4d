#include "cli/values/kind.h"

#include "base/strings.h"
#include "cli/values/values.h"
#include "codec/json.h"
#include "codec/text.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

bool is_ip_address(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    return text.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string_view::npos;
  }
  auto parts = split(text, '.');
  return parts.size() == 4 && std::ranges::all_of(parts, [](const std::string& part) {
           auto number = parse_uint(part);
           return number && *number <= 255;
         });
}

json::value in_list(json::value item) {
  json::array out;
  out.push_back(std::move(item));
  return out;
}

json::value text_list(std::string_view text) {
  return in_list(json::string(text));
}

json::value member(std::string_view key, std::string_view value) {
  json::object out;
  out.emplace(key, json::string(value));
  return out;
}

Result<json::value> parse_extra_host(const std::string& text) {
  // The newer spelling is name=address; the API's is name:address.
  std::string out = text;
  size_t at = out.find_first_of("=:");
  if (at == std::string::npos || at == 0 || at + 1 == out.size()) {
    return fail(Code::InvalidArgument, "bad format for add-host: \"{}\"", text);
  }
  std::string address = out.substr(at + 1);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (address != "host-gateway" && !is_ip_address(address)) {
    return fail(Code::InvalidArgument, "invalid IP address in add-host: \"{}\"", address);
  }
  return text_list(out.substr(0, at) + ":" + address);
}

Result<json::value> parse_restart(const std::string& text) {
  auto pair = split_once(text, ':');
  std::string name(pair ? pair->first : std::string_view(text));
  int64_t count = 0;
  if (pair) {
    if (name.empty())
      return fail(Code::InvalidArgument, "invalid restart policy format: no policy provided before colon");
    auto number = parse_integer(pair->second);
    if (!number)
      return fail(Code::InvalidArgument, "invalid restart policy format: maximum retry count must be an integer");
    count = *number;
  }
  return json::object{{"Name", name}, {"MaximumRetryCount", count}};
}

json::value capability(const std::string& text) {
  std::string name = to_upper(trim(text));
  if (name != "ALL" && name != "RESET" && !name.starts_with("CAP_")) name = "CAP_" + name;
  return text_list(name);
}

Result<json::value> parse_pair(Kind kind, const std::string& text) {
  auto pair = split_once(text, '=');
  if (kind == Kind::Tmpfs) {
    pair = split_once(text, ':');
  } else if (kind == Kind::Map && !pair) {
    return member(text, "");
  } else if (kind == Kind::Label && (text.empty() || text[0] == '=')) {
    return fail(Code::InvalidArgument, "invalid label '{}': empty name", text);
  }
  return pair ? member(pair->first, pair->second) : member(text, "");
}

Result<json::value> parse_comma_list(const std::string& text) {
  json::array out;
  for (const std::string& piece : split(text, ',')) out.emplace_back(piece);
  return out;
}

Result<json::value> parse_scalar(Kind kind, const std::string& text) {
  switch (kind) {
    case Kind::Flag:
      return json::value(TRY(parse_boolean(text)));
    case Kind::Int:
      return json::value(TRY(parse_integer(text)));
    case Kind::Uint:
      return json::value(TRY(parse_unsigned(text)));
    case Kind::Uint16:
      return json::value(TRY(parse_unsigned(text, 16)));
    case Kind::Bytes:
      return json::value(TRY(parse_bytes(text)));
    case Kind::SwapBytes:
      return json::value(text == "-1" ? -1 : TRY(parse_bytes(text)));
    case Kind::Cpus:
      return json::value(TRY(parse_cpus(text)));
    case Kind::Duration: {
      auto nanos = codec::parse_go_duration(text);
      if (!nanos) return fail(Code::InvalidArgument, "time: invalid duration \"{}\"", text);
      return json::value(*nanos);
    }
    default:
      return json::value(json::string(text));
  }
}

Result<json::value> parse_listed(Kind kind, const std::string& text) {
  switch (kind) {
    case Kind::CommaList:
      return parse_comma_list(text);
    case Kind::Capability:
      return capability(text);
    case Kind::ExtraHost:
      return parse_extra_host(text);
    case Kind::Ulimit:
      return in_list(TRY(parse_ulimit(text)));
    case Kind::Device:
      return in_list(TRY(parse_device(text)));
    case Kind::DeviceRate:
      return in_list(TRY(parse_device_rate(text)));
    case Kind::DeviceIops:
      return in_list(TRY(parse_device_iops(text)));
    case Kind::DeviceWeight:
      return in_list(TRY(parse_device_weight(text)));
    case Kind::Gpus:
      return in_list(TRY(parse_gpus(text)));
    case Kind::Mount:
      return in_list(TRY(parse_mount(text)));
    case Kind::DeviceRule:
      if (!is_device_rule(text)) return fail(Code::InvalidArgument, "invalid device cgroup format '{}'", text);
      return text_list(text);
    case Kind::IpAddress:
      if (!is_ip_address(text)) return fail(Code::InvalidArgument, "IP address is not correctly formatted: {}", text);
      return text_list(text);
    case Kind::AttachTo: {
      std::string name = to_lower(text);
      if (name != "stdin" && name != "stdout" && name != "stderr") {
        return fail(Code::InvalidArgument, "valid streams are STDIN, STDOUT and STDERR");
      }
      return text_list(name);
    }
    case Kind::Env:
      if (text.empty() || text[0] == '=') return fail(Code::InvalidArgument, "invalid environment variable: {}", text);
      return text_list(text);
    case Kind::Network:
      TRY(parse_network(text));
      return text_list(text);
    default:
      return text_list(text);
  }
}

Result<json::value> parse_assigned(Kind kind, const std::string& text) {
  if (kind == Kind::Filter && text.find('=') == std::string::npos) {
    return fail(Code::InvalidArgument, "invalid argument \"{}\" for filter: bad format of filter (expected name=value)",
                text);
  }
  if (kind != Kind::Sysctl) return parse_pair(kind, text);
  auto [key, value] = TRY(parse_sysctl(text));
  return member(key, value);
}

}  // namespace

KindInfo kind_info(Kind kind) {
  switch (kind) {
    case Kind::Flag:
      return {""};
    case Kind::Int:
      return {"int"};
    case Kind::Uint:
      return {"uint"};
    case Kind::Uint16:
      return {"uint16"};
    case Kind::Bytes:
    case Kind::SwapBytes:
      return {"bytes"};
    case Kind::Duration:
      return {"duration"};
    case Kind::Cpus:
      return {"decimal"};
    case Kind::CommaList:
      return {"strings", Merge::Append};
    case Kind::Map:
    case Kind::Sysctl:
      return {"map", Merge::Assign};
    case Kind::Label:
    case Kind::Tmpfs:
      return {"list", Merge::Assign};
    case Kind::Filter:
      return {"filter", Merge::Assign};
    case Kind::Ulimit:
      return {"ulimit", Merge::Append};
    case Kind::Mount:
      return {"mount", Merge::Append};
    case Kind::Network:
      return {"network", Merge::Append};
    case Kind::Gpus:
      return {"gpu-request", Merge::Append};
    case Kind::String:
    case Kind::Entrypoint:
    case Kind::Restart:
      return {"string"};
    default:
      return {"list", Merge::Append};
  }
}

Result<std::string> check_value(Kind kind, const std::string& value) {
  if (kind == Kind::Flag) return std::string(TRY(parse_boolean(value)) ? "true" : "false");
  // Docker checks these only when it builds the request: their errors carry no usage text.
  bool late = kind == Kind::Publish || kind == Kind::Expose || kind == Kind::Volume || kind == Kind::Device ||
              kind == Kind::Restart;
  if (!late) TRY(value_to_json(kind, value));
  return value;
}

Result<json::value> value_to_json(Kind kind, const std::string& value) {
  if (kind == Kind::Restart) return parse_restart(value);
  if (kind == Kind::Entrypoint) return text_list(value);
  switch (kind_info(kind).merge) {
    case Merge::Append:
      return parse_listed(kind, value);
    case Merge::Assign:
      return parse_assigned(kind, value);
    case Merge::Set:
      break;
  }
  return parse_scalar(kind, value);
}

}  // namespace sampan::cli
