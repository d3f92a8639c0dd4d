// What no single directive shows to be wrong.
#include <arpa/inet.h>

#include <map>

#include "base/strings.h"
#include "daemon/configuration.h"
#include "daemon/hosts.h"

namespace sampan::daemon {

namespace {

bool is_address(const std::string& text) {
  unsigned char out[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), out) == 1 || ::inet_pton(AF_INET6, text.c_str(), out) == 1;
}

bool is_ipv4(const std::string& text) {
  in_addr out{};
  return ::inet_pton(AF_INET, text.c_str(), &out) == 1;
}

bool is_ipv4_prefix(const std::string& text) {
  auto pair = split_once(text, '/');
  if (!pair) return false;
  in_addr out{};
  auto bits = parse_uint(pair->second);
  return ::inet_pton(AF_INET, std::string(pair->first).c_str(), &out) == 1 && bits && *bits <= 32;
}

Result<void> check_words(const Settings& s) {
  bool known = s.log_level == "debug" || s.log_level == "info" || s.log_level == "warn" || s.log_level == "error" ||
               s.log_level == "fatal";
  if (!known) return fail(Code::InvalidArgument, "invalid logging level: {}", s.log_level);
  std::map<std::string, std::string> labels;
  for (const auto& label : s.labels) {
    auto pair = split_once(label, '=');
    if (!pair || pair->first.empty()) return fail(Code::InvalidArgument, "bad attribute format: {}", label);
    std::string key(pair->first), value(pair->second);
    auto [found, added] = labels.emplace(key, value);
    if (added || found->second == value) continue;
    return fail(Code::InvalidArgument, "conflict labels for {}={} and {}={}", key, value, key, found->second);
  }
  if (!s.default_ipc_mode.empty() && s.default_ipc_mode != "private" && s.default_ipc_mode != "shareable") {
    return fail(Code::InvalidArgument, "IPC mode \"{}\" is not allowed as default: use \"private\" or \"shareable\"",
                s.default_ipc_mode);
  }
  if (!s.default_cgroupns_mode.empty() && s.default_cgroupns_mode != "private" && s.default_cgroupns_mode != "host") {
    return fail(Code::InvalidArgument, "default cgroup namespace mode ({}) is invalid: use \"host\" or \"private\"",
                s.default_cgroupns_mode);
  }
  return {};
}

Result<void> check_numbers(const Settings& s) {
  if (s.mtu < 0 || s.mtu > 65535) return fail(Code::InvalidArgument, "invalid default MTU: {}", s.mtu);
  if (s.max_concurrent_downloads < 0 || s.max_concurrent_downloads > 1000) {
    return fail(Code::InvalidArgument, "invalid max concurrent downloads: {}", s.max_concurrent_downloads);
  }
  if (s.max_download_attempts < 0 || s.max_download_attempts > 1000) {
    return fail(Code::InvalidArgument, "invalid max download attempts: {}", s.max_download_attempts);
  }
  if (s.shutdown_timeout < -1 || s.shutdown_timeout > 86400) {
    return fail(Code::InvalidArgument, "invalid shutdown timeout: {}", s.shutdown_timeout);
  }
  if (s.oom_score_adjust < -1000 || s.oom_score_adjust > 1000) {
    return fail(Code::InvalidArgument, "invalid oom score adjustment: {} is not within -1000 and 1000",
                s.oom_score_adjust);
  }
  if (s.default_shm_size.bytes <= 0) {
    return fail(Code::InvalidArgument, "invalid default shm size: {}", s.default_shm_size.bytes);
  }
  for (const auto& [name, limit] : s.default_ulimits) {
    if (limit.hard != -1 && (limit.soft > limit.hard || limit.soft == -1)) {
      return fail(Code::InvalidArgument, "ulimit {}: soft limit ({}) must be less than or equal to hard limit ({})",
                  name, limit.soft, limit.hard);
    }
  }
  return {};
}

Result<void> check_gateways(const Settings& s) {
  if (!s.default_gateway.empty() && !is_ipv4(s.default_gateway)) {
    return fail(Code::InvalidArgument, "default-gateway: {} is not an IPv4 address", s.default_gateway);
  }
  Texts gateways = s.host_gateway_ips;
  if (!s.host_gateway_ip.empty()) gateways.push_back(s.host_gateway_ip);
  size_t families[2] = {};
  for (const auto& address : gateways) {
    if (!is_address(address)) return fail(Code::InvalidArgument, "{} is not an ip address", address);
    if (++families[is_ipv4(address) ? 0 : 1] > 1)
      return fail(Code::InvalidArgument, "only one IPv{} host gateway IP address can be specified",
                  is_ipv4(address) ? 4 : 6);
  }
  if (s.bridge != "none") return {};
  const char* about_bridge = !s.bip.empty()               ? "bip"
                             : !s.fixed_cidr.empty()      ? "fixed-cidr"
                             : !s.default_gateway.empty() ? "default-gateway"
                                                          : nullptr;
  if (about_bridge) return fail(Code::InvalidArgument, "{} and bridge none exclude each other", about_bridge);
  return {};
}

/// Names of one kind, or a number of it.
Result<void> check_resources(const Settings& s) {
  std::map<std::string, bool> counted;
  for (const auto& text : s.node_generic_resources) {
    auto pair = split_once(text, '=');
    if (!pair || pair->first.empty() || pair->second.empty())
      return fail(Code::InvalidArgument, "could not parse generic resource: {}", text);
    bool is_count = parse_int(pair->second).has_value();
    auto [found, added] = counted.emplace(std::string(pair->first), is_count);
    if (!added && (is_count || found->second))
      return fail(Code::InvalidArgument, "mixed discrete and named resources in expression '{}'", text);
  }
  return {};
}

Result<void> check_networks(const Settings& s) {
  for (const auto& server : s.dns) {
    if (!is_address(server)) return fail(Code::InvalidArgument, "{} is not an ip address", server);
  }
  if (!s.ip.empty() && !is_address(s.ip)) return fail(Code::InvalidArgument, "{} is not an ip address", s.ip);
  for (const auto* prefix : {&s.bip, &s.fixed_cidr}) {
    if (!prefix->empty() && !is_ipv4_prefix(*prefix)) {
      return fail(Code::InvalidArgument, "invalid CIDR address: {}", *prefix);
    }
  }
  for (const auto& pool : s.default_address_pools) {
    if (!is_ipv4_prefix(pool.base)) {
      return fail(Code::InvalidArgument, "default-address-pools: invalid base pool \"{}\"", pool.base);
    }
    int64_t bits = parse_int(split_once(pool.base, '/')->second).value_or(0);
    if (pool.size < bits || pool.size > 30) {
      return fail(Code::InvalidArgument, "default-address-pools: size {} is not within {}", pool.size, pool.base);
    }
  }
  for (const auto& [driver, options] : s.default_network_opts) {
    if (driver != "bridge") {
      return fail(Code::InvalidArgument, "default-network-opts: network driver \"{}\" has no options", driver);
    }
  }
  return {};
}

Result<void> check_registries(const Settings& s) {
  for (const auto& name : s.insecure_registries) {
    if (name.find("://") != std::string::npos) {
      return fail(Code::InvalidArgument, "insecure registry {} should not contain '://'", name);
    }
    if (name.empty() || name.find_first_of(" \t\r\n@?#") != std::string::npos) {
      return fail(Code::InvalidArgument, "insecure registry \"{}\" is not valid: invalid host", name);
    }
  }
  for (const auto& mirror : s.registry_mirrors) {
    if (!mirror.starts_with("https://") && !mirror.starts_with("http://")) {
      return fail(Code::InvalidArgument,
                  "invalid mirror: no scheme specified for \"{}\": must use either 'https://' or 'http://'", mirror);
    }
    std::string_view rest = std::string_view(mirror).substr(mirror.find("://") + 3);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.empty() || rest.find_first_of("/?#@ ") != std::string_view::npos) {
      return fail(Code::InvalidArgument, "invalid mirror: path, query, or fragment at end of the URI \"{}\"", mirror);
    }
  }
  return {};
}

// Whoever speaks to the API is root on this host. On a network only a certificate says who that is.
Result<void> check_hosts(const Settings& s) {
  for (const auto& text : s.hosts) {
    Host host = TRY(parse_host(text));
    if (host.kind != Host::Kind::Tcp || s.tlsverify) continue;
    return fail(Code::InvalidArgument,
                "-H {}: whoever reaches the API is root on this host, so TCP is served to clients with certificates "
                "only: give --tlsverify with --tlscacert, --tlscert and --tlskey",
                text);
  }
  return {};
}

}  // namespace

Result<void> validate_settings(const Settings& settings) {
  TRY(check_words(settings));
  TRY(check_numbers(settings));
  TRY(check_networks(settings));
  TRY(check_gateways(settings));
  TRY(check_resources(settings));
  TRY(check_registries(settings));
  return check_hosts(settings);
}

}  // namespace sampan::daemon
