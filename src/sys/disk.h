#pragma once
// sys/disk: how full a file system is.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace sampan::sys {

/// Bytes that those who are not root can still write on the file system of `path`. Errors: the errno of statvfs.
Result<uint64_t> free_bytes(const std::string& path);

}  // namespace sampan::sys
