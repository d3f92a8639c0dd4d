#include "logs/internal/local_entry.h"

#include <unistd.h>

#include <optional>
#include <vector>

#include "sys/error.h"

namespace sampan::logs {

namespace {

// Protobuf's wire: a key (field number and kind), then the value. Source: protobuf.dev "Encoding".
enum Kind : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// Zero values are left out, as proto3 does.
void put_number(std::string& out, uint8_t field, uint64_t value) {
  if (value == 0) return;
  out += static_cast<char>(field << 3 | kVarint);
  put_varint(out, value);
}
void put_bytes(std::string& out, uint8_t field, std::string_view value) {
  if (value.empty()) return;
  out += static_cast<char>(field << 3 | kBytes);
  put_varint(out, value.size());
  out += value;
}

void put_length(char* out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
}

class ProtoCursor {
 public:
  explicit ProtoCursor(std::string_view bytes) : bytes_(bytes) {}
  struct Field {
    uint64_t number = 0;
    uint64_t value = 0;      // of a varint
    std::string_view bytes;  // of everything else
  };
  bool at_end() const { return bytes_.empty(); }
  std::optional<Field> next();

 private:
  std::optional<uint64_t> varint();
  std::optional<std::string_view> take(uint64_t size) {
    if (size > bytes_.size()) return std::nullopt;
    auto out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  std::string_view bytes_;
};

std::optional<uint64_t> ProtoCursor::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<ProtoCursor::Field> ProtoCursor::next() {
  auto key = varint();
  if (!key) return std::nullopt;
  Field field{.number = *key >> 3};
  std::optional<uint64_t> size;
  switch (*key & 7) {
    case kVarint: {
      auto value = varint();
      if (!value) return std::nullopt;
      field.value = *value;
      return field;
    }
    case kFixed64:
      size = 8;
      break;
    case kFixed32:
      size = 4;
      break;
    case kBytes:
      size = varint();
      break;
    default:
      break;
  }
  auto bytes = size ? take(*size) : std::nullopt;
  if (!bytes) return std::nullopt;
  field.bytes = *bytes;
  return field;
}

/// True in `last` unless there is a further part of the line.
bool parse_partial(std::string_view bytes, bool& last) {
  last = false;
  for (ProtoCursor cursor(bytes); !cursor.at_end();) {
    auto field = cursor.next();
    if (!field) return false;
    if (field->number == 1) last = field->value != 0;
  }
  return true;
}

bool parse_attribute(std::string_view bytes, std::map<std::string, std::string>& out) {
  std::string_view key, value;
  for (ProtoCursor cursor(bytes); !cursor.at_end();) {
    auto field = cursor.next();
    if (!field) return false;
    if (field->number == 1) key = field->bytes;
    if (field->number == 2) value = field->bytes;
  }
  out[std::string(key)] = value;
  return true;
}

}  // namespace

uint32_t read_length(const char* bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string format_local_attributes(const std::map<std::string, std::string>& attributes) {
  std::string out;
  for (const auto& [key, value] : attributes) {
    std::string pair;
    put_bytes(pair, 1, key);
    put_bytes(pair, 2, value);
    put_bytes(out, 6, pair);
  }
  return out;
}

void append_local_entry(std::string& out, const Entry& entry, std::string_view attributes) {
  size_t begin = out.size();
  out.append(kLengthBytes, '\0');
  put_bytes(out, 1, entry.stream == Stream::Stderr ? "stderr" : "stdout");
  put_number(out, 2, static_cast<uint64_t>(entry.time.unix_nanos));
  put_bytes(out, 3, entry.text);
  if (entry.partial) {
    put_number(out, 4, 1);
    std::string metadata;
    put_number(metadata, 1, entry.last);
    put_bytes(metadata, 2, entry.partial_id);
    put_number(metadata, 3, entry.ordinal);
    put_bytes(out, 5, metadata);
  }
  out += attributes;
  auto size = static_cast<uint32_t>(out.size() - begin - kLengthBytes);
  put_length(out.data() + begin, size);
  out.append(kLengthBytes, '\0');
  put_length(out.data() + out.size() - kLengthBytes, size);
}

bool parse_local_entry(std::string_view bytes, Line& out) {
  bool ends = true;
  out.text.clear();
  out.attributes.clear();
  out.stream = Stream::Stdout;
  out.time = {};
  for (ProtoCursor cursor(bytes); !cursor.at_end();) {
    auto field = cursor.next();
    if (!field) return false;
    if (field->number == 1) out.stream = field->bytes == "stderr" ? Stream::Stderr : Stream::Stdout;
    if (field->number == 2) out.time.unix_nanos = static_cast<int64_t>(field->value);
    if (field->number == 3) out.text = field->bytes;
    if (field->number == 5 && !parse_partial(field->bytes, ends)) return false;
    if (field->number == 6 && !parse_attribute(field->bytes, out.attributes)) return false;
  }
  if (ends) out.text += '\n';
  return true;
}

Result<int64_t> find_local_end(int fd, int64_t size) {
  constexpr size_t kBlock = 1 << 20;
  constexpr size_t kFrame = 2 * kLengthBytes;
  std::vector<char> block(kBlock + kMaxLocalEntry + kFrame);
  int64_t end = 0;
  while (end < size) {
    ssize_t got = ::pread(fd, block.data(), block.size(), end);
    if (got < 0) return sys::sys_error("pread");
    size_t at = 0, have = static_cast<size_t>(got);
    while (have - at >= kFrame) {
      uint32_t length = read_length(&block[at]);
      if (length > kMaxLocalEntry || length + kFrame > have - at) break;
      if (read_length(&block[at + kLengthBytes + length]) != length) return end + static_cast<int64_t>(at);
      at += length + kFrame;
    }
    if (at == 0) break;
    end += static_cast<int64_t>(at);
  }
  return end;
}

}  // namespace sampan::logs
