#pragma once
// logs/json_line: one record of the json-file format, written and read by hand: this is the hot path of every container
// that talks a lot.
//
// Writing escapes as Docker does: quotes and backslashes, \n and \r by name, other control characters and < > & as
// \u00xx, U+2028 and U+2029 as \u2028 and \u2029; bytes that are not UTF-8 become \ufffd.

#include <string>
#include <string_view>

#include "logs/logs.h"

namespace sampan::logs {

/// Formats timestamps and keeps the date and time of the last whole second, which rarely changes.
class TimeFormatter {
 public:
  /// RFC 3339 with nine digits, without quotes.
  void append(std::string& out, codec::Time time);

 private:
  int64_t second_ = INT64_MIN;
  std::string prefix_;
};

/// Parses timestamps and keeps the last date.
class TimeParser {
 public:
  std::optional<codec::Time> parse(std::string_view text);

 private:
  std::string date_;
  int64_t day_seconds_ = 0;
};

/// The longest that one byte can become.
inline constexpr size_t kMaxEscape = 6;
/// Writes `text` escaped, without quotes; returns the end. There must be room for kMaxEscape bytes for each of its.
char* escape_to(char* out, std::string_view text);
/// Appends `text` escaped, without quotes.
void append_escaped(std::string& out, std::string_view text);

/// `"attrs":{...},` or nothing, made once for a writer.
std::string format_attributes(const std::map<std::string, std::string>& attributes);

/// One record as a line of JSON; false when it is not one. `json` is without its "\n".
bool parse_json_line(std::string_view json, TimeParser& times, Line& out);

}  // namespace sampan::logs
