#include "cgroup/internal/dbus_wire.h"

#include <bit>
#include <cstring>

namespace sampan::cgroup::internal {
namespace {

constexpr size_t kFixedHeader = 16, kMaxMessage = 1 << 20;
constexpr char kNativeOrder = std::endian::native == std::endian::little ? 'l' : 'B';

constexpr const char* kSignatures[] = {"b", "i", "u", "x", "t", "s", "as", "ay", "au", "a(ss)"};
static_assert(std::size(kSignatures) == std::variant_size_v<PropertyValue>);

/// Reads with the alignment of the whole message; after a value that does not fit it is bad for good.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}
  bool bad() const { return bad_; }
  bool at_end(size_t end) const { return bad_ || at_ >= end; }
  size_t at() const { return at_; }
  void align(size_t boundary) { at_ = (at_ + boundary - 1) / boundary * boundary; }
  uint8_t byte() { return number<uint8_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  std::string string() { return text(u32()); }
  std::string signature() { return text(byte()); }

 private:
  template <typename T>
  T number() {
    T value = 0;
    align(sizeof(T));
    if (bad_ || at_ > bytes_.size() || bytes_.size() - at_ < sizeof(T)) {
      bad_ = true;
      return value;
    }
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string text(size_t size) {
    if (bad_ || size >= bytes_.size() - at_) {  // one byte more: the zero
      bad_ = true;
      return {};
    }
    std::string out(bytes_.substr(at_, size));
    at_ += size + 1;
    return out;
  }
  std::string_view bytes_;
  size_t at_ = 0;
  bool bad_ = false;
};

enum Field : uint8_t { Path = 1, Interface, Member, ErrorName, ReplySerial, Destination, Sender, Signature };

void read_field(WireReader& reader, WireMessage& message) {
  uint8_t code = reader.byte();
  std::string type = reader.signature();
  if (type == "u") {
    uint32_t value = reader.u32();
    if (code == ReplySerial) message.reply_to = value;
    return;
  }
  std::string value = type == "g" ? reader.signature() : reader.string();
  if (code == Path) message.path = value;
  if (code == Interface) message.interface = value;
  if (code == Member) message.member = value;
  if (code == ErrorName) message.error = value;
  if (code == Destination) message.destination = value;
  if (code == Signature) message.signature = value;
}

void write_field(WireWriter& writer, Field code, const char* type, const std::string& value) {
  if (value.empty()) return;
  writer.align(8);
  writer.byte(code);
  writer.signature(type);
  if (*type == 'g')
    writer.signature(value);
  else
    writer.string(value);
}

/// One alternative of a property's value.
struct ValueWriter {
  WireWriter& to;
  void operator()(bool v) const { to.u32(v ? 1 : 0); }
  void operator()(int32_t v) const { to.u32(static_cast<uint32_t>(v)); }
  void operator()(uint32_t v) const { to.u32(v); }
  void operator()(int64_t v) const { to.u64(static_cast<uint64_t>(v)); }
  void operator()(uint64_t v) const { to.u64(v); }
  void operator()(uint8_t v) const { to.byte(v); }
  void operator()(const std::string& v) const { to.string(v); }
  void operator()(const std::pair<std::string, std::string>& v) const {
    to.align(8);
    to.string(v.first);
    to.string(v.second);
  }
  template <typename T>
  void operator()(const std::vector<T>& list) const {
    constexpr bool pair = std::is_same_v<T, std::pair<std::string, std::string>>;
    auto array = to.begin_array(pair ? 8 : sizeof(T) == 1 ? 1 : 4);
    for (const auto& entry : list) (*this)(entry);
    to.end_array(array);
  }
};

}  // namespace

void WireWriter::raw(const void* data, size_t size) {
  bytes_.append(static_cast<const char*>(data), size);
}
void WireWriter::align(size_t boundary) {
  bytes_.resize((bytes_.size() + boundary - 1) / boundary * boundary);
}
void WireWriter::byte(uint8_t value) {
  raw(&value, 1);
}
void WireWriter::u32(uint32_t value) {
  align(4);
  raw(&value, 4);
}
void WireWriter::u64(uint64_t value) {
  align(8);
  raw(&value, 8);
}
void WireWriter::string(std::string_view text) {
  u32(static_cast<uint32_t>(text.size()));
  raw(text.data(), text.size());
  byte(0);
}
void WireWriter::signature(std::string_view text) {
  byte(static_cast<uint8_t>(text.size()));
  raw(text.data(), text.size());
  byte(0);
}

WireWriter::Array WireWriter::begin_array(size_t element_alignment) {
  u32(0);
  size_t length_at = bytes_.size() - 4;
  align(element_alignment);
  return {length_at, bytes_.size()};
}
void WireWriter::end_array(Array array) {
  auto length = static_cast<uint32_t>(bytes_.size() - array.begin);
  std::memcpy(bytes_.data() + array.length_at, &length, 4);
}

void WireWriter::value(const PropertyValue& value) {
  std::visit(ValueWriter{*this}, value);
}

void WireWriter::variant(const PropertyValue& it) {
  signature(kSignatures[it.index()]);
  value(it);
}

void WireWriter::properties(const std::vector<UnitProperty>& list) {
  auto array = begin_array(8);
  for (const auto& property : list) {
    align(8);
    string(property.name);
    variant(property.value);
  }
  end_array(array);
}

std::string format_message(const WireMessage& message) {
  WireWriter writer;
  writer.byte(kNativeOrder);
  writer.byte(static_cast<uint8_t>(message.type));
  writer.byte(0);
  writer.byte(1);
  writer.u32(static_cast<uint32_t>(message.body.size()));
  writer.u32(message.serial);
  auto fields = writer.begin_array(8);
  write_field(writer, Path, "o", message.path);
  write_field(writer, Interface, "s", message.interface);
  write_field(writer, Member, "s", message.member);
  write_field(writer, Destination, "s", message.destination);
  write_field(writer, Signature, "g", message.signature);
  writer.end_array(fields);
  writer.align(8);
  return writer.bytes() + message.body;
}

Result<size_t> message_size(std::string_view bytes) {
  if (bytes.size() < kFixedHeader) return size_t{0};
  if (bytes[0] != kNativeOrder || bytes[3] != 1) return fail(Code::InvalidArgument, "not a D-Bus message");
  uint32_t body, fields;
  std::memcpy(&body, bytes.data() + 4, 4);
  std::memcpy(&fields, bytes.data() + 12, 4);
  if (body > kMaxMessage || fields > kMaxMessage) return fail(Code::InvalidArgument, "a D-Bus message is too big");
  return kFixedHeader + (size_t{fields} + 7) / 8 * 8 + body;
}

Result<WireMessage> parse_message(std::string_view bytes) {
  if (TRY(message_size(bytes)) != bytes.size() || bytes.empty())
    return fail(Code::InvalidArgument, "a torn D-Bus message");
  WireMessage message;
  WireReader reader(bytes);
  (void)reader.byte();  // byte order, checked above
  message.type = static_cast<MessageType>(reader.byte());
  (void)reader.byte();
  (void)reader.byte();
  uint32_t body = reader.u32();
  message.serial = reader.u32();
  size_t end = kFixedHeader + reader.u32();
  while (!reader.at_end(end)) {
    reader.align(8);
    read_field(reader, message);
  }
  if (reader.bad()) return fail(Code::InvalidArgument, "a torn D-Bus message");
  message.body = bytes.substr(bytes.size() - body);
  return message;
}

std::vector<std::string> body_words(const WireMessage& message) {
  std::vector<std::string> out;
  WireReader reader(message.body);
  for (char type : message.signature) {
    if (type != 's' && type != 'o' && type != 'u') break;
    std::string word = type == 'u' ? std::to_string(reader.u32()) : reader.string();
    if (reader.bad()) break;
    out.push_back(std::move(word));
  }
  return out;
}

}  // namespace sampan::cgroup::internal
