#include "logs/endpoint.h"

#include <array>

#include "base/strings.h"

namespace sampan::logs {

namespace {

constexpr std::string_view kTransports[] = {"tcp://", "tcp+tls://", "udp://", "unix://", "unixgram://", "tls://"};

bool is_transport_url(std::string_view address) {
  for (auto prefix : kTransports) {
    if (address.starts_with(prefix)) return true;
  }
  return false;
}

/// host, host:port, [v6], [v6]:port; a port is a number.
Result<void> split_host_port(std::string_view text, Endpoint& out) {
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    size_t end = text.find(']');
    if (end == std::string_view::npos) return fail(Code::InvalidArgument, "address {}: missing ']' in address", text);
    host = text.substr(1, end - 1);
    std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':'))
      return fail(Code::InvalidArgument, "invalid port {:?} after host", rest);
    if (!rest.empty()) port = rest.substr(1);
  } else if (size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.find(':') != std::string_view::npos)
      return fail(Code::InvalidArgument, "address {}: too many colons in address", text);
  }
  auto number = parse_uint(port);
  if (!port.empty() && (!number || *number > 65535)) return fail(Code::InvalidArgument, "invalid port {:?}", port);
  out.host = host;
  out.port = port;
  return {};
}

Result<Endpoint> parse_url(std::string_view url) {
  size_t end = url.find("://");
  Endpoint out{.scheme = std::string(url.substr(0, end))};
  std::string_view rest = url.substr(end + 3);
  if (out.scheme.starts_with("unix")) {
    if (size_t slash = rest.find('/'); slash != std::string_view::npos) out.path = rest.substr(slash);
    return out;
  }
  TRY(split_host_port(rest.substr(0, rest.find('/')), out));
  return out;
}

struct Facility {
  std::string_view name;
  int number;
};
constexpr Facility kFacilities[] = {
    {"kern", 0},    {"user", 1},    {"mail", 2},    {"daemon", 3},    {"auth", 4},    {"syslog", 5},  {"lpr", 6},
    {"news", 7},    {"uucp", 8},    {"cron", 9},    {"authpriv", 10}, {"ftp", 11},    {"local0", 16}, {"local1", 17},
    {"local2", 18}, {"local3", 19}, {"local4", 20}, {"local5", 21},   {"local6", 22}, {"local7", 23},
};

}  // namespace

Result<Endpoint> parse_syslog_address(std::string_view address) {
  if (address.empty()) return Endpoint{};
  if (!is_transport_url(address) || address.starts_with("tls:"))
    return fail(Code::InvalidArgument, "syslog-address should be in form proto://address, got {}", address);
  auto out = TRY(parse_url(address));
  if (out.path.empty() && out.port.empty()) out.port = "514";
  return out;
}

Result<Endpoint> parse_gelf_address(std::string_view address) {
  if (address.empty()) return fail(Code::InvalidArgument, "gelf-address is a required parameter");
  if (!is_transport_url(address))
    return fail(Code::InvalidArgument, "gelf-address should be in form proto://address, got {}", address);
  auto out = TRY(parse_url(address));
  if (out.scheme != "udp" && out.scheme != "tcp")
    return fail(Code::InvalidArgument, "gelf: endpoint needs to be TCP or UDP");
  if (out.port.empty()) return fail(Code::InvalidArgument, "gelf: please provide gelf-address as proto://host:port");
  return out;
}

Result<Endpoint> parse_fluentd_address(std::string_view address) {
  Endpoint out{.scheme = "tcp"};
  if (is_transport_url(address)) {
    out = TRY_CONTEXT(parse_url(address), fmt::format("invalid fluentd-address {}", address));
    if (out.scheme == "unix" && out.path.empty())
      return fail(Code::InvalidArgument, "invalid fluentd-address {}: path is empty", address);
  } else {
    TRY_CONTEXT(split_host_port(address, out), fmt::format("invalid fluentd-address {}", address));
  }
  if (out.scheme != "tcp" && out.scheme != "unix" && out.scheme != "tls")
    return fail(Code::InvalidArgument, "invalid fluentd-address {}: unsupported scheme: '{}'", address, out.scheme);
  if (out.scheme == "unix") return out;
  if (out.host.empty()) out.host = "127.0.0.1";
  if (out.port.empty()) out.port = "24224";
  return out;
}

Result<int> parse_syslog_facility(std::string_view facility) {
  if (facility.empty()) facility = "daemon";
  for (const auto& known : kFacilities) {
    if (known.name == facility) return known.number << 3;
  }
  auto number = parse_uint(facility);
  if (number && *number <= 23) return static_cast<int>(*number) << 3;
  return fail(Code::InvalidArgument, "invalid syslog facility");
}

Result<bool> parse_go_bool(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return true;
  for (std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return false;
  return fail(Code::InvalidArgument, "strconv.ParseBool: parsing \"{}\": invalid syntax", text);
}

}  // namespace sampan::logs
