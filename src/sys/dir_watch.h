#pragma once
// sys/dir_watch: a descriptor that becomes readable when something in a directory changes.

#include <span>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// Readable after a file in `dir` was written, made, renamed or removed. Where the kernel gives no (more) inotify
/// instances, or the directory is missing, it is a timer that fires five times a second instead.
Result<Fd> watch_directory(const std::string& dir);
/// Readable after one of these files was written to or its kernel file changed. Errors: the errno, with the path.
Result<Fd> watch_files(std::span<const std::string> files);
/// Takes what is pending, without blocking.
void drain_watch(int fd);

}  // namespace sampan::sys
