#pragma once
// Small reads and writes of control group files. A directory is an absolute path below a cgroup mount, made by us.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::cgroup::internal {

/// Writes one value. Errors: the errno with "write VALUE to DIR/FILE".
Result<void> write_value(const std::string& dir, std::string_view file, std::string_view value);
Result<void> write_number(const std::string& dir, std::string_view file, int64_t value);
bool has_file(const std::string& dir, std::string_view file);
/// Content without the final newline; "" when it cannot be read (a controller that this kernel lacks).
std::string read_text(const std::string& dir, std::string_view file);
/// A single number; "max" and anything unreadable is `otherwise`.
uint64_t read_number(const std::string& dir, std::string_view file, uint64_t otherwise = 0);
/// "key value" lines.
std::map<std::string, uint64_t> read_flat(const std::string& dir, std::string_view file);
/// Waits until the kernel says that the group became empty or frozen (version 2), at most `patience`. Version 1 has no
/// such event: there the time simply passes.
void await_change(const std::string& dir, std::chrono::milliseconds patience);
std::vector<std::string> words(std::string_view text);

}  // namespace sampan::cgroup::internal
