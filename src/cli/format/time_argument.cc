#include "cli/format/time_argument.h"

#include <time.h>

#include "base/strings.h"
#include "cli/format/human.h"
#include "codec/text.h"

namespace sampan::cli {

namespace {

std::string unix_text(int64_t nanos) {
  return fmt::format("{}.{:09}", nanos / 1'000'000'000, nanos % 1'000'000'000);
}

// The forms without a zone are local times.
std::optional<int64_t> local_seconds(const std::string& text) {
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d"}) {
    tm parts{};
    parts.tm_isdst = -1;
    const char* end = ::strptime(text.c_str(), format, &parts);
    if (end && *end == '\0') return static_cast<int64_t>(::mktime(&parts));
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> time_argument(const std::string& text) {
  if (text.empty()) return fail(Code::InvalidArgument, "value is empty");
  if (text.find_first_not_of("0123456789.") == std::string::npos) return text;
  if (auto age = codec::parse_go_duration(text)) return unix_text(now_nanos() - *age);
  if (auto seconds = local_seconds(text)) return unix_text(*seconds * 1'000'000'000);
  if (auto time = codec::parse_rfc3339(text)) return unix_text(time->unix_nanos);
  return fail(Code::InvalidArgument, "failed to parse value as time or duration: \"{}\"", text);
}

}  // namespace sampan::cli
