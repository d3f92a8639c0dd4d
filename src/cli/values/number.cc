#include <charconv>
#include <cmath>

#include "base/strings.h"
#include "cli/values/values.h"
#include "codec/text.h"

namespace sampan::cli {

namespace {

template <typename T>
Result<T> parse_number(std::string_view text, const char* function) {
  T value{};
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    return fail(Code::InvalidArgument, "strconv.{}: parsing \"{}\": value out of range", function, text);
  }
  if (result.ec != std::errc() || result.ptr != digits.data() + digits.size()) {
    return fail(Code::InvalidArgument, "strconv.{}: parsing \"{}\": invalid syntax", function, text);
  }
  return value;
}

}  // namespace

Result<int64_t> parse_integer(std::string_view text) {
  return parse_number<int64_t>(text, "ParseInt");
}

Result<uint64_t> parse_unsigned(std::string_view text, int bits) {
  uint64_t value = TRY(parse_number<uint64_t>(text, "ParseUint"));
  if (bits < 64 && value >> bits) {
    return fail(Code::InvalidArgument, "strconv.ParseUint: parsing \"{}\": value out of range", text);
  }
  return value;
}

Result<bool> parse_boolean(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return fail(Code::InvalidArgument, "strconv.ParseBool: parsing \"{}\": invalid syntax", text);
}

Result<int64_t> parse_cpus(std::string_view text) {
  double value = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || !std::isfinite(value) ||
      std::abs(value) > 1e9) {
    return fail(Code::InvalidArgument, "failed to parse {} as a rational number", text);
  }
  double nanos = value * 1e9;
  if (std::abs(nanos - std::round(nanos)) > 1e-3) return fail(Code::InvalidArgument, "value is too precise");
  return std::llround(nanos);
}

Result<int64_t> parse_bytes(std::string_view text) {
  auto size = codec::parse_size(text);
  if (size) return size;
  size_t unit = text.find_first_not_of("0123456789.");
  if (unit != 0 && unit != std::string_view::npos) {
    return fail(Code::InvalidArgument, "invalid suffix: '{}'", trim(text.substr(unit)));
  }
  return fail(Code::InvalidArgument, "invalid size: '{}'", text);
}

}  // namespace sampan::cli
