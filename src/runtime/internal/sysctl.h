#pragma once
// Names of kernel parameters; pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::runtime::internal {

/// The kind of namespace (CLONE_NEW*) that holds the parameter; 0 when it belongs to the whole machine.
uint64_t namespace_of_sysctl(std::string_view key);
/// "net.ipv4.ip_forward" to "sys/net/ipv4/ip_forward". Errors: InvalidArgument (anything that could lead elsewhere).
Result<std::string> path_of_sysctl(std::string_view key);

}  // namespace sampan::runtime::internal
