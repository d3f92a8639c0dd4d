#include "logs/internal/json_line.h"

#include <array>
#include <cstring>

namespace sampan::logs {

namespace {

constexpr char kHex[] = "0123456789abcdef";

/// True for bytes that cannot stand in a string as they are.
constexpr std::array<bool, 256> make_special() {
  std::array<bool, 256> table{};
  for (int c = 0; c < 0x20; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 0x80; c < 0x100; ++c) table[static_cast<size_t>(c)] = true;
  for (char c : {'"', '\\', '<', '>', '&'}) table[static_cast<size_t>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kSpecial = make_special();

/// Length of the well-formed UTF-8 sequence at `text`, 0 when there is none. Source: Unicode 15, table 3-7.
size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto tail = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  unsigned a = byte(0), b = byte(1);
  if (a >= 0xC2 && a <= 0xDF) return tail(1) ? 2 : 0;
  if (a >= 0xE0 && a <= 0xEF) {
    if (!tail(1) || !tail(2) || (a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F)) return 0;
    return 3;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3) || (a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F)) return 0;
    return 4;
  }
  return 0;
}

constexpr uint64_t kOnes = 0x0101010101010101, kTops = 0x8080808080808080;

/// Non-zero when one of the eight bytes is special: the table's test, a word at a time. '<' and '>' differ in one bit,
/// and so do '"' and '&', which saves two comparisons. A borrow can report a byte behind a special one, never hide one.
inline uint64_t any_special(uint64_t word) {
  auto zero = [](uint64_t x) { return (x - kOnes) & ~x; };
  uint64_t found = word | ((word - kOnes * 0x20) & ~word);
  found |= zero((word & ~(kOnes * 0x02)) ^ (kOnes * '<'));
  found |= zero((word & ~(kOnes * 0x04)) ^ (kOnes * '"'));
  found |= zero(word ^ (kOnes * '\\'));
  return found & kTops;
}

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

/// Escapes the special character at the front of `text`, which it takes away.
char* escape_special(char* out, std::string_view& text) {
  auto c = static_cast<unsigned char>(text[0]);
  if (c >= 0x80) {
    size_t length = utf8_length(text);
    std::string_view sequence = text.substr(0, std::max<size_t>(length, 1));
    text.remove_prefix(sequence.size());
    if (length == 0) return put(out, "\\ufffd");
    if (sequence == "\xE2\x80\xA8") return put(out, "\\u2028");
    if (sequence == "\xE2\x80\xA9") return put(out, "\\u2029");
    return put(out, sequence);
  }
  text.remove_prefix(1);
  *out++ = '\\';
  if (c == '"' || c == '\\') {
    *out++ = static_cast<char>(c);
  } else if (c == '\n') {
    *out++ = 'n';
  } else if (c == '\r') {
    *out++ = 'r';
  } else {
    out = put(out, "u00");
    *out++ = kHex[c >> 4];
    *out++ = kHex[c & 15];
  }
  return out;
}

/// A cursor over one JSON text that knows just enough of the grammar for a log record.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool take(char wanted) {
    skip_space();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  bool at_end() {
    skip_space();
    return at_ == end_;
  }
  /// A string without escapes is lent from the text, any other is built in `storage`.
  bool string(std::string& storage, std::string_view& out);
  bool skip_value(int depth = 0);
  /// {"key":"value",...}
  bool string_map(std::map<std::string, std::string>& out);

 private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool unescape(std::string& storage);
  bool escape(std::string& storage);
  std::optional<unsigned> hex4();

  const char* at_;
  const char* end_;
};

bool JsonCursor::string(std::string& storage, std::string_view& out) {
  if (!take('"')) return false;
  const void* quote = std::memchr(at_, '"', static_cast<size_t>(end_ - at_));
  if (!quote) return false;
  auto* close = static_cast<const char*>(quote);
  if (!std::memchr(at_, '\\', static_cast<size_t>(close - at_))) {
    out = {at_, static_cast<size_t>(close - at_)};
    at_ = close + 1;
    return true;
  }
  storage.clear();
  if (!unescape(storage)) return false;
  out = storage;
  return true;
}

bool JsonCursor::unescape(std::string& storage) {
  while (at_ != end_) {
    const char* run = at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
    storage.append(run, static_cast<size_t>(at_ - run));
    if (at_ == end_) return false;
    if (*at_++ == '"') return true;
    if (!escape(storage)) return false;
  }
  return false;
}

std::optional<unsigned> JsonCursor::hex4() {
  if (end_ - at_ < 4) return std::nullopt;
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    char c = *at_++;
    if (c >= '0' && c <= '9')
      value = value * 16 + static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value * 16 + static_cast<unsigned>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      value = value * 16 + static_cast<unsigned>(c - 'A' + 10);
    else
      return std::nullopt;
  }
  return value;
}

void append_utf8(std::string& out, unsigned point) {
  auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 63));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 63));
    put(0x80 | (point & 63));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 63));
    put(0x80 | (point >> 6 & 63));
    put(0x80 | (point & 63));
  }
}

bool JsonCursor::escape(std::string& storage) {
  if (at_ == end_) return false;
  char c = *at_++;
  switch (c) {
    case 'n':
      storage += '\n';
      return true;
    case 'r':
      storage += '\r';
      return true;
    case 't':
      storage += '\t';
      return true;
    case 'b':
      storage += '\b';
      return true;
    case 'f':
      storage += '\f';
      return true;
    case '"':
    case '\\':
    case '/':
      storage += c;
      return true;
    case 'u':
      break;
    default:
      return false;
  }
  auto point = hex4();
  if (!point) return false;
  if (*point >= 0xD800 && *point < 0xDC00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
    at_ += 2;
    auto low = hex4();
    if (!low) return false;
    point = *low >= 0xDC00 && *low < 0xE000 ? 0x10000 + ((*point - 0xD800) << 10) + (*low - 0xDC00) : 0xFFFD;
  } else if (*point >= 0xD800 && *point < 0xE000) {
    point = 0xFFFD;
  }
  append_utf8(storage, *point);
  return true;
}

bool JsonCursor::skip_value(int depth) {
  skip_space();
  if (at_ == end_ || depth > 16) return false;
  std::string storage;
  std::string_view ignored;
  if (*at_ == '"') return string(storage, ignored);
  if (*at_ != '{' && *at_ != '[') {
    const char* begin = at_;
    while (at_ != end_ && !std::strchr(",]} \t\r", *at_)) ++at_;
    return at_ != begin;
  }
  bool object = *at_ == '{';
  char close = object ? '}' : ']';
  ++at_;
  if (take(close)) return true;
  do {
    if (object && (!string(storage, ignored) || !take(':'))) return false;
    if (!skip_value(depth + 1)) return false;
  } while (take(','));
  return take(close);
}

bool JsonCursor::string_map(std::map<std::string, std::string>& out) {
  if (!take('{')) return false;
  if (take('}')) return true;
  do {
    std::string key_storage, value_storage;
    std::string_view key, value;
    if (!string(key_storage, key) || !take(':') || !string(value_storage, value)) return false;
    out[std::string(key)] = value;
  } while (take(','));
  return take('}');
}

}  // namespace

char* escape_to(char* out, std::string_view text) {
  while (!text.empty()) {
    uint64_t word;
    while (text.size() >= sizeof word) {
      std::memcpy(&word, text.data(), sizeof word);
      if (any_special(word)) break;
      std::memcpy(out, &word, sizeof word);
      out += sizeof word;
      text.remove_prefix(sizeof word);
    }
    while (!text.empty() && !kSpecial[static_cast<unsigned char>(text[0])]) {
      *out++ = text[0];
      text.remove_prefix(1);
    }
    if (!text.empty()) out = escape_special(out, text);
  }
  return out;
}

void append_escaped(std::string& out, std::string_view text) {
  size_t before = out.size();
  out.resize(before + kMaxEscape * text.size());
  char* end = escape_to(out.data() + before, text);
  out.resize(static_cast<size_t>(end - out.data()));
}

std::string format_attributes(const std::map<std::string, std::string>& attributes) {
  if (attributes.empty()) return {};
  std::string out = "\"attrs\":{";
  for (const auto& [key, value] : attributes) {
    if (out.back() != '{') out += ',';
    out += '"';
    append_escaped(out, key);
    out += "\":\"";
    append_escaped(out, value);
    out += '"';
  }
  return out + "},";
}

void TimeFormatter::append(std::string& out, codec::Time time) {
  int64_t second = time.unix_nanos / 1'000'000'000, nanos = time.unix_nanos % 1'000'000'000;
  if (nanos < 0) {
    nanos += 1'000'000'000;
    --second;
  }
  if (second != second_) {
    prefix_ = codec::format_rfc3339_fixed({second * 1'000'000'000}).substr(0, 20);  // with the point
    second_ = second;
  }
  out += prefix_;
  char digits[10];
  for (int i = 8; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + nanos % 10);
    nanos /= 10;
  }
  digits[9] = 'Z';
  out.append(digits, sizeof digits);
}

namespace {

/// Two digits, or -1.
int two_digits(const char* at) {
  unsigned high = static_cast<unsigned char>(at[0]) - '0', low = static_cast<unsigned char>(at[1]) - '0';
  return high > 9 || low > 9 ? -1 : static_cast<int>(high * 10 + low);
}

}  // namespace

std::optional<codec::Time> TimeParser::parse(std::string_view text) {
  auto slowly = [&]() -> std::optional<codec::Time> {
    auto time = codec::parse_rfc3339(text);
    return time ? std::optional(*time) : std::nullopt;
  };
  if (text.size() < 20 || text.back() != 'Z') return slowly();
  if (date_ != text.substr(0, 10)) {
    auto midnight = codec::parse_rfc3339(std::string(text.substr(0, 10)) + "T00:00:00Z");
    if (!midnight || midnight->is_zero()) return slowly();
    date_ = text.substr(0, 10);
    day_seconds_ = midnight->unix_nanos / 1'000'000'000;
  }
  int hour = two_digits(&text[11]), minute = two_digits(&text[14]), second = two_digits(&text[17]);
  if (text[10] != 'T' || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return slowly();
  int64_t nanos = 0, scale = 1'000'000'000;
  if (text.size() > 20) {
    if (text[19] != '.' || text.size() > 30) return slowly();
    for (size_t i = 20; i + 1 < text.size(); ++i) {
      if (text[i] < '0' || text[i] > '9') return slowly();
      scale /= 10;
      nanos += (text[i] - '0') * scale;
    }
  }
  return codec::Time{(day_seconds_ + hour * 3600 + minute * 60 + second) * 1'000'000'000 + nanos};
}

bool parse_json_line(std::string_view json, TimeParser& times, Line& out) {
  JsonCursor cursor(json);
  out.attributes.clear();
  bool has_log = false, has_time = false;
  out.stream = Stream::Stdout;
  std::string storage;
  std::string_view key, value;
  if (!cursor.take('{')) return false;
  if (cursor.take('}')) return false;
  do {
    if (!cursor.string(storage, key) || !cursor.take(':')) return false;
    if (key == "log") {
      if (!cursor.string(storage, value)) return false;
      out.text = value;
      has_log = true;
    } else if (key == "stream") {
      if (!cursor.string(storage, value)) return false;
      out.stream = value == "stderr" ? Stream::Stderr : Stream::Stdout;
    } else if (key == "time") {
      if (!cursor.string(storage, value)) return false;
      auto time = times.parse(value);
      if (!time) return false;
      out.time = *time;
      has_time = true;
    } else if (key == "attrs") {
      if (!cursor.string_map(out.attributes)) return false;
    } else if (!cursor.skip_value()) {
      return false;
    }
  } while (cursor.take(','));
  return cursor.take('}') && cursor.at_end() && has_log && has_time;
}

}  // namespace sampan::logs
