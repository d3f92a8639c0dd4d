#include "codec/text.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "base/strings.h"

namespace sampan::codec {

std::string format_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) {
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
  return out;
}

std::string format_base64(std::string_view bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = static_cast<unsigned char>(bytes[i]) << 16;
    if (i + 1 < bytes.size()) group |= static_cast<unsigned char>(bytes[i + 1]) << 8;
    if (i + 2 < bytes.size()) group |= static_cast<unsigned char>(bytes[i + 2]);
    out += kAlphabet[group >> 18];
    out += kAlphabet[group >> 12 & 63];
    out += i + 1 < bytes.size() ? kAlphabet[group >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  return out;
}

static int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

Result<std::string> parse_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    int value = base64_value(c);
    if (value < 0) return fail(Code::InvalidArgument, "invalid base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 255);
    }
  }
  if (count == 6) return fail(Code::InvalidArgument, "invalid base64");
  return out;
}

std::string format_percent(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
      out += static_cast<char>(c);
    else
      out += fmt::format("%{:02X}", c);
  }
  return out;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> parse_percent(std::string_view text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail(Code::InvalidArgument, "invalid URL escape \"{}\"", text.substr(i, 3));
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return out;
}

namespace {

constexpr int64_t kNanos = 1'000'000'000;

std::string format_seconds(int64_t seconds) {
  using namespace std::chrono;
  sys_seconds point{std::chrono::seconds(seconds)};
  auto day = floor<days>(point);
  year_month_day date(day);
  hh_mm_ss time(point - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

std::pair<int64_t, int64_t> seconds_and_nanos(Time time) {
  int64_t seconds = time.unix_nanos / kNanos, nanos = time.unix_nanos % kNanos;
  if (nanos < 0) {
    nanos += kNanos;
    --seconds;
  }
  return {seconds, nanos};
}

/// Digits after a point as nanoseconds; more than nine are cut.
std::optional<int64_t> parse_fraction(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  int64_t value = 0;
  for (size_t i = 0; i < 9; ++i) {
    char c = i < digits.size() ? digits[i] : '0';
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::string format_rfc3339(Time time) {
  if (time.is_zero()) return "0001-01-01T00:00:00Z";
  auto [seconds, nanos] = seconds_and_nanos(time);
  std::string out = format_seconds(seconds);
  if (nanos) {
    out += fmt::format(".{:09}", nanos);
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + "Z";
}

std::string format_rfc3339_fixed(Time time) {
  auto [seconds, nanos] = seconds_and_nanos(time);
  return format_seconds(seconds) + fmt::format(".{:09}Z", nanos);
}

Result<Time> parse_rfc3339(std::string_view text) {
  auto bad = [&] { return fail(Code::InvalidArgument, "invalid time \"{}\"", text); };
  auto number = [&](size_t at, size_t n) -> int64_t {
    auto value = at + n <= text.size() ? parse_uint(text.substr(at, n)) : std::nullopt;
    return value ? static_cast<int64_t>(*value) : -1;
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ')) return bad();
  int64_t part[] = {number(0, 4), number(5, 2), number(8, 2), number(11, 2), number(14, 2), number(17, 2)};
  for (int64_t p : part) {
    if (p < 0) return bad();
  }
  if (part[0] <= 1) return Time{};
  size_t at = 19;
  int64_t nanos = 0;
  if (text[at] == '.') {
    size_t end = text.find_first_not_of("0123456789", at + 1);
    if (end == std::string_view::npos) return bad();
    auto fraction = parse_fraction(text.substr(at + 1, end - at - 1));
    if (!fraction) return bad();
    nanos = *fraction;
    at = end;
  }
  int64_t offset = 0;
  if (text[at] == '+' || text[at] == '-') {
    int64_t hours = number(at + 1, 2), minutes = number(at + 4, 2);
    if (hours < 0 || minutes < 0 || text.size() != at + 6) return bad();
    offset = (hours * 60 + minutes) * 60 * (text[at] == '-' ? -1 : 1);
  } else if (text.substr(at) != "Z") {
    return bad();
  }
  using namespace std::chrono;
  year_month_day date{year(static_cast<int>(part[0])), month(static_cast<unsigned>(part[1])),
                      day(static_cast<unsigned>(part[2]))};
  if (!date.ok() || part[3] > 23 || part[4] > 59 || part[5] > 60) return bad();
  int64_t seconds = sys_days(date).time_since_epoch().count() * 86400LL + part[3] * 3600 + part[4] * 60 + part[5];
  return Time{(seconds - offset) * kNanos + nanos};
}

Result<Time> parse_timestamp(std::string_view text) {
  auto parts = split_once(text, '.');
  auto seconds = parse_int(parts ? parts->first : text);
  if (!seconds) return parse_rfc3339(text);
  int64_t nanos = 0;
  if (parts) {
    auto fraction = parse_fraction(parts->second);
    if (!fraction) return fail(Code::InvalidArgument, "invalid timestamp \"{}\"", text);
    nanos = *fraction;
  }
  if (*seconds > INT64_MAX / kNanos - 1 || *seconds < INT64_MIN / kNanos + 1) {
    return fail(Code::InvalidArgument, "timestamp \"{}\" is out of range", text);
  }
  return Time{*seconds * kNanos + nanos};
}

Result<int64_t> parse_go_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double nanos;
  };
  constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
  auto bad = [&] { return fail(Code::InvalidArgument, "invalid duration \"{}\"", text); };
  std::string_view rest = text;
  bool negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (rest == "0") return 0;
  if (rest.empty()) return bad();
  double total = 0;
  while (!rest.empty()) {
    size_t digits = rest.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return bad();
    char* end = nullptr;
    std::string number(rest.substr(0, digits));
    double value = std::strtod(number.c_str(), &end);
    if (*end) return bad();
    rest.remove_prefix(digits);
    size_t length = rest.find_first_of("0123456789.");
    std::string_view unit = rest.substr(0, length);
    double scale = 0;
    for (const auto& row : kUnits) {
      if (row.name == unit) scale = row.nanos;
    }
    if (scale == 0) return bad();
    total += value * scale;
    rest.remove_prefix(unit.size());
  }
  if (total > 9.2e18) return bad();
  return static_cast<int64_t>(std::llround(total)) * (negative ? -1 : 1);
}

Result<int64_t> parse_size(std::string_view text) {
  auto bad = [&] { return fail(Code::InvalidArgument, "invalid size: '{}'", text); };
  size_t digits = text.find_first_not_of("0123456789.");
  std::string number(text.substr(0, digits));
  if (number.empty()) return bad();
  char* end = nullptr;
  double value = std::strtod(number.c_str(), &end);
  if (*end) return bad();
  std::string unit = to_lower(trim(digits == std::string_view::npos ? "" : text.substr(digits)));
  int shift = 0;
  if (!unit.empty() && unit != "b") {
    size_t at = std::string_view("kmgtp").find(unit[0]);
    if (at == std::string_view::npos) return bad();
    if (unit.size() > 1 && unit.substr(1) != "b" && unit.substr(1) != "ib") return bad();
    shift = static_cast<int>(at + 1) * 10;
  }
  value = std::ldexp(value, shift);
  if (value > 9.2e18) return bad();
  return static_cast<int64_t>(value);
}

}  // namespace sampan::codec
