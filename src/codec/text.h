#pragma once
// codec/text: small pure encodings: hexadecimal, base64, percent-encoding, times, sizes.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::codec {

std::string format_hex(std::string_view bytes);
std::string format_base64(std::string_view bytes);
/// Accepts the standard and the URL alphabet, with or without padding. Errors: InvalidArgument.
Result<std::string> parse_base64(std::string_view text);
/// Encodes everything but unreserved characters (RFC 3986).
std::string format_percent(std::string_view text);
/// Decodes %XX; with plus_is_space also '+'. Errors: InvalidArgument (a broken escape).
Result<std::string> parse_percent(std::string_view text, bool plus_is_space);

/// A point in wall-clock time, in nanoseconds since 1970; 0 is Go's zero time ("0001-01-01T00:00:00Z").
struct Time {
  int64_t unix_nanos = 0;
  bool is_zero() const { return unix_nanos == 0; }
  auto operator<=>(const Time&) const = default;
};
/// RFC 3339 in UTC, fraction without trailing zeros (Go's RFC3339Nano).
std::string format_rfc3339(Time time);
/// RFC 3339 in UTC with exactly nine fractional digits: fixed width, as log lines have it.
std::string format_rfc3339_fixed(Time time);
/// Errors: InvalidArgument.
Result<Time> parse_rfc3339(std::string_view text);
/// "SECONDS[.NANOS]" since 1970, or RFC 3339: what since= and until= carry.
Result<Time> parse_timestamp(std::string_view text);
/// Go's duration, e.g. "1m30s", "500ms"; nanoseconds. Errors: InvalidArgument.
Result<int64_t> parse_go_duration(std::string_view text);
/// A size with an optional unit b, k, m, g, t (powers of 1024, optional "b"/"ib" behind): bytes. Errors:
/// InvalidArgument.
Result<int64_t> parse_size(std::string_view text);

}  // namespace sampan::codec
