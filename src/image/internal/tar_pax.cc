#include "image/internal/tar_pax.h"

#include "base/strings.h"

namespace sampan::image::tar {
namespace {

Error bad(const char* what) {
  return fail(Code::InvalidArgument, "invalid PAX header: {}", what);
}

}  // namespace

Result<PaxRecords> parse_pax(std::string_view body) {
  PaxRecords records;
  while (!body.empty()) {
    // Some writers fill the last block with NULs inside the declared size.
    if (body.find_first_not_of('\0') == std::string_view::npos) break;
    size_t space = body.find(' ');
    if (space == std::string_view::npos || space == 0 || space > 10) return bad("no length");
    auto length = parse_uint(body.substr(0, space));
    if (!length || *length <= space + 2 || *length > body.size()) return bad("a record's length");
    std::string_view record = body.substr(space + 1, *length - space - 1);
    body.remove_prefix(*length);
    if (!record.ends_with('\n')) return bad("a record without a line end");
    record.remove_suffix(1);
    size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) return bad("a record without a key");
    records.emplace_back(record.substr(0, equals), record.substr(equals + 1));
  }
  return records;
}

std::string format_pax_record(std::string_view key, std::string_view value) {
  // The length counts its own digits: adding a digit may make it longer by one.
  size_t rest = key.size() + value.size() + 3;
  size_t length = rest + std::to_string(rest).size();
  if (std::to_string(length).size() != std::to_string(rest).size()) length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

Result<Time> parse_pax_time(std::string_view text) {
  Time time;
  bool negative = text.starts_with('-');
  std::string_view digits = negative ? text.substr(1) : text;
  std::string_view fraction;
  if (auto parts = split_once(digits, '.')) {
    digits = parts->first;
    fraction = parts->second;
  }
  auto seconds = digits.empty() ? std::optional<uint64_t>(0) : parse_uint(digits);
  if (!seconds || *seconds > INT64_MAX / 2) return bad("a time");
  uint32_t scale = 100'000'000;
  for (char digit : fraction) {
    if (digit < '0' || digit > '9') return bad("a time");
    time.nanoseconds += static_cast<uint32_t>(digit - '0') * scale;
    scale /= 10;
  }
  time.seconds = static_cast<int64_t>(*seconds);
  if (!negative) return time;
  time.seconds = -time.seconds;
  if (time.nanoseconds > 0) {
    time.seconds -= 1;
    time.nanoseconds = 1'000'000'000 - time.nanoseconds;
  }
  return time;
}

Result<uint64_t> parse_pax_number(std::string_view text) {
  auto number = parse_uint(text);
  if (!number || *number > INT64_MAX) return bad("a number");
  return *number;
}

}  // namespace sampan::image::tar
