#pragma once
// daemon/hosts: what stands behind -H.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace sampan::daemon {

struct Host {
  enum class Kind { Unix, Tcp, Activated };
  Kind kind = Kind::Unix;
  std::string place;  // the path; the address; which of the sockets that systemd passed ("" for all)
  uint16_t port = 0;
};

/// unix://PATH, tcp://ADDRESS[:PORT], tcp://[IPV6]:PORT, fd://, fd://NUMBER or fd://NAME. The port is 2376 when none is
/// given. Errors: InvalidArgument.
Result<Host> parse_host(const std::string& text);

}  // namespace sampan::daemon
