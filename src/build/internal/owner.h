#pragma once
// "--chown=user:group": names are looked up in the root filesystem that the files go to.

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace sampan::build {

/// "uid", "uid:gid", "name", "name:group"; a user without a group brings the gid of passwd, or its own number.
/// Errors: InvalidArgument (out of range), NotFound (no such name).
Result<std::pair<uint32_t, uint32_t>> resolve_owner(int root, const std::string& text);

}  // namespace sampan::build
