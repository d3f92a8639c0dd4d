#pragma once
// logs/endpoint: where a driver sends to: the addresses of its options, in Docker's forms and with Docker's errors.

#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::logs {

struct Endpoint {
  std::string scheme;      // "udp" "tcp" "tcp+tls" "tls" "unix" "unixgram"; "": the host's own syslog socket
  std::string host, port;  // host without brackets
  std::string path;        // of a unix socket
  bool operator==(const Endpoint&) const = default;
};

/// "" is the host's own socket; port 514 unless another is given.
Result<Endpoint> parse_syslog_address(std::string_view address);
/// udp or tcp, with a port.
Result<Endpoint> parse_gelf_address(std::string_view address);
/// host[:port] or a URL; 127.0.0.1:24224 by default.
Result<Endpoint> parse_fluentd_address(std::string_view address);
/// A name or a number; the priority without its severity.
Result<int> parse_syslog_facility(std::string_view facility);

/// Go's strconv.ParseBool.
Result<bool> parse_go_bool(std::string_view text);

}  // namespace sampan::logs
