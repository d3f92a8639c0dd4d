#pragma once
// cli/format/human: durations and sizes in Docker's words. Pure.

#include <cstdint>
#include <string>
#include <string_view>

namespace sampan::cli {

/// "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks", ...
std::string human_duration(int64_t nanos);
/// Powers of 1000 with `precision` significant digits: "1.23MB", "0B".
std::string human_size(double bytes, int precision = 4);
/// Powers of 1024: "1.953MiB".
std::string human_bytes(double bytes);
/// "1.23MB (virtual 5MB)" is made elsewhere; this shortens ids: the first 12 digits without "sha256:".
std::string short_id(std::string_view id);
/// At most `width` characters, the last of them an ellipsis when something was cut. Counts UTF-8 characters.
std::string ellipsis(std::string_view text, size_t width);
size_t display_width(std::string_view text);
/// "2024-05-01 12:00:00 +0000 UTC" in local time, as ps and images print CreatedAt.
std::string local_time(int64_t unix_seconds);
int64_t now_nanos();

}  // namespace sampan::cli
