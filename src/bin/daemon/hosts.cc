#include "daemon/hosts.h"

#include "base/strings.h"

namespace sampan::daemon {

namespace {

constexpr uint16_t kTlsPort = 2376;

Result<Host> parse_tcp(const std::string& text, std::string_view rest) {
  Host out{Host::Kind::Tcp, "", kTlsPort};
  if (rest.ends_with('/')) rest.remove_suffix(1);
  size_t bracket = rest.find(']');
  size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    if (bracket == std::string_view::npos) return fail(Code::InvalidArgument, "invalid bind address: {}", text);
    out.place = rest.substr(1, bracket - 1);
    if (bracket + 1 == rest.size()) return out;
    if (colon != bracket + 1) return fail(Code::InvalidArgument, "invalid bind address: {}", text);
  } else {
    out.place = rest.substr(0, colon);
  }
  if (out.place.empty()) out.place = "127.0.0.1";
  if (out.place.find_first_of("/?#@") != std::string::npos) {
    return fail(Code::InvalidArgument, "invalid bind address ({}): should not contain a path element", text);
  }
  if (colon == std::string_view::npos) return out;
  auto port = parse_uint(rest.substr(colon + 1));
  if (!port || *port > UINT16_MAX) {
    return fail(Code::InvalidArgument, "invalid bind address ({}): the port must be a number up to 65535", text);
  }
  out.port = static_cast<uint16_t>(*port);
  return out;
}

}  // namespace

Result<Host> parse_host(const std::string& text) {
  std::string_view rest(text);
  if (rest.starts_with("unix://")) {
    rest.remove_prefix(7);
    if (!rest.starts_with('/')) return fail(Code::InvalidArgument, "invalid bind address ({}): PATH is absolute", text);
    return Host{Host::Kind::Unix, std::string(rest), 0};
  }
  if (rest.starts_with("tcp://")) return parse_tcp(text, rest.substr(6));
  if (rest.starts_with("fd://")) {
    rest.remove_prefix(5);
    return Host{Host::Kind::Activated, rest == "*" ? std::string() : std::string(rest), 0};
  }
  return fail(Code::InvalidArgument, "invalid bind address: {}: must be unix://PATH, tcp://ADDRESS:PORT or fd://",
              text);
}

}  // namespace sampan::daemon
