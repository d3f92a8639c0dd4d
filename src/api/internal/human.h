#pragma once
// api/internal/human: the prose that `docker ps` prints as it is. Pure.

#include <cstdint>
#include <string>

#include "container/record.h"

namespace sampan::api {

/// "Less than a second", "5 seconds", "About a minute", "3 hours", ...
std::string format_human_duration(int64_t seconds);
/// "Up 3 minutes (healthy)", "Exited (0) 2 hours ago", "Created", ...
std::string format_status(const container::ContainerState& state, int64_t now_unix);

}  // namespace sampan::api
