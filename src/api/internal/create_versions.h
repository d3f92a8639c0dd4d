#pragma once
// api/internal/create_versions: what a create request of an older version cannot say.

#include <string>
#include <vector>

#include "api/internal/call.h"
#include "base/result.h"
#include "container/spec.h"

namespace sampan::api {

/// Members that the version does not know are taken back, as its daemon would not have seen them; those that a client
/// relies on for its safety are refused by name instead. Also the warnings about members that later versions moved.
/// Errors: InvalidArgument.
Result<std::vector<std::string>> fit_to_version(container::ContainerSpec& spec, Version version);

}  // namespace sampan::api
