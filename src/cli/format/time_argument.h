#pragma once
// cli/format/time_argument: --since and --until, as the API wants them.

#include <string>

#include "base/result.h"

namespace sampan::cli {

/// "10m" (ago), "2024-05-01", "2024-05-01T10:00:00", RFC 3339 or seconds since 1970 become "seconds.nanoseconds".
/// Errors: InvalidArgument.
Result<std::string> time_argument(const std::string& text);

}  // namespace sampan::cli
