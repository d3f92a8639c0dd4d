#include "base/strings.h"
#include "cli/values/values.h"

namespace sampan::cli {

namespace {

struct PortRange {
  uint64_t first = 0, last = 0;
};

Result<PortRange> parse_range(std::string_view text) {
  auto pair = split_once(text, '-');
  PortRange range;
  range.first = TRY(parse_unsigned(pair ? pair->first : text, 16));
  range.last = pair ? TRY(parse_unsigned(pair->second, 16)) : range.first;
  if (range.last < range.first) return fail(Code::InvalidArgument, "invalid range specified for port: {}", text);
  return range;
}

// The address in front of the last two colons, without the brackets of IPv6.
Result<std::string> parse_host_ip(std::string text, const std::string& whole) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  bool v6 = text.find(':') != std::string::npos;
  bool good =
      text.empty() || text.find_first_not_of(v6 ? "0123456789abcdefABCDEF:.%" : "0123456789.") == std::string::npos;
  if (!v6 && !text.empty() && std::ranges::count(text, '.') != 3) good = false;
  if (v6 && std::ranges::count(text, ':') < 2) good = false;
  if (!good) return fail(Code::InvalidArgument, "invalid IP address: {}", text);
  return text;
}

Result<std::vector<PublishedPort>> expand(const std::string& ip, const std::string& host, const std::string& container,
                                          const std::string& proto) {
  if (container.empty()) return fail(Code::InvalidArgument, "no port specified: {}<empty>", host);
  auto inside = parse_range(container);
  if (!inside) return fail(Code::InvalidArgument, "invalid containerPort: {}", container);
  std::vector<PublishedPort> out;
  PortRange outside;
  if (!host.empty()) {
    auto range = parse_range(host);
    if (!range) return fail(Code::InvalidArgument, "invalid hostPort: {}", host);
    outside = *range;
    bool one_inside = inside->first == inside->last;
    if (!one_inside && outside.last - outside.first != inside->last - inside->first) {
      return fail(Code::InvalidArgument, "invalid ranges specified for container and host Ports: {} and {}", container,
                  host);
    }
    // One container port may get any host port of a range: the daemon chooses.
    if (one_inside && outside.first != outside.last) {
      return std::vector<PublishedPort>{{fmt::format("{}/{}", inside->first, proto), ip, host}};
    }
  }
  for (uint64_t i = 0; i <= inside->last - inside->first; ++i) {
    out.push_back({fmt::format("{}/{}", inside->first + i, proto), ip,
                   host.empty() ? std::string() : std::to_string(outside.first + i)});
  }
  return out;
}

Result<std::vector<PublishedPort>> parse_long_publish(const std::string& text) {
  std::string target, published, proto = "tcp";
  for (const std::string& field : split(text, ',')) {
    auto pair = split_once(field, '=');
    if (!pair) return fail(Code::InvalidArgument, "invalid field {}", field);
    std::string value(pair->second);
    if (pair->first == "target") {
      target = value;
    } else if (pair->first == "published") {
      published = value;
    } else if (pair->first == "protocol") {
      proto = value;
    } else if (pair->first != "mode") {
      return fail(Code::InvalidArgument, "invalid field key {}", pair->first);
    }
  }
  return expand("", published, target, proto);
}

}  // namespace

Result<std::vector<PublishedPort>> parse_publish(const std::string& text) {
  if (text.find('=') != std::string::npos) return parse_long_publish(text);
  std::string rest = text, proto = "tcp";
  if (size_t slash = rest.rfind('/'); slash != std::string::npos) {
    proto = to_lower(rest.substr(slash + 1));
    rest.resize(slash);
  }
  if (proto != "tcp" && proto != "udp" && proto != "sctp")
    return fail(Code::InvalidArgument, "invalid proto: {}", proto);
  std::string ip, host;
  size_t last = rest.rfind(':');
  std::string container = last == std::string::npos ? rest : rest.substr(last + 1);
  if (last != std::string::npos) {
    std::string front = rest.substr(0, last);
    size_t colon = front.rfind(':');
    host = colon == std::string::npos ? front : front.substr(colon + 1);
    if (colon != std::string::npos) ip = TRY(parse_host_ip(front.substr(0, colon), text));
  }
  return expand(ip, host, container, proto);
}

Result<std::vector<std::string>> parse_expose(const std::string& text) {
  if (text.find(':') != std::string::npos)
    return fail(Code::InvalidArgument, "invalid port format for --expose: {}", text);
  auto pair = split_once(text, '/');
  std::string proto = pair ? to_lower(pair->second) : "tcp";
  auto range = parse_range(pair ? pair->first : std::string_view(text));
  if (!range) {
    return fail(Code::InvalidArgument, "invalid range format for --expose: {}, error: {}", text,
                range.error().message());
  }
  std::vector<std::string> out;
  for (uint64_t port = range->first; port <= range->last; ++port) out.push_back(fmt::format("{}/{}", port, proto));
  return out;
}

}  // namespace sampan::cli
