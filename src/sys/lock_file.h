#pragma once
// sys/lock_file: one owner of a directory at a time, by flock(2): the kernel lets go when the owner dies, however.

#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// Creates `path` when it is missing and locks it for as long as the descriptor lives.
/// Errors: Conflict when another process holds it, the errno.
Result<Fd> lock_file(const std::string& path);

}  // namespace sampan::sys
