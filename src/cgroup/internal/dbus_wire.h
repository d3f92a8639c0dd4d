#pragma once
// dbus_wire: the bytes of D-Bus messages, as far as systemd's few calls need them; pure.
// Source: D-Bus specification "Message Protocol"; native byte order (the peer is on this machine).

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace sampan::cgroup::internal {

/// What a unit's property can be; the alternatives' signatures are b, i, u, x, t, s, as, ay, au, a(ss).
using PropertyValue =
    std::variant<bool, int32_t, uint32_t, int64_t, uint64_t, std::string, std::vector<std::string>,
                 std::vector<uint8_t>, std::vector<uint32_t>, std::vector<std::pair<std::string, std::string>>>;
struct UnitProperty {
  std::string name;
  PropertyValue value;
};

/// Appends values with D-Bus's alignment; a body starts at an aligned place of its message, so from zero.
class WireWriter {
 public:
  void byte(uint8_t value);
  void u32(uint32_t value);
  void u64(uint64_t value);
  void string(std::string_view text);
  void signature(std::string_view text);
  void align(size_t boundary);
  struct Array {
    size_t length_at, begin;
  };
  Array begin_array(size_t element_alignment);
  void end_array(Array array);
  void variant(const PropertyValue& value);
  /// a(sv)
  void properties(const std::vector<UnitProperty>& list);
  const std::string& bytes() const { return bytes_; }

 private:
  void raw(const void* data, size_t size);
  void value(const PropertyValue& value);
  std::string bytes_;
};

enum class MessageType : uint8_t { Call = 1, Return = 2, Error = 3, Signal = 4 };
struct WireMessage {
  MessageType type = MessageType::Call;
  uint32_t serial = 0, reply_to = 0;
  std::string path, interface, member, error, destination, signature;
  std::string body;
};
std::string format_message(const WireMessage& message);

/// How many bytes the message at the start of `bytes` has; 0 when its fixed header (16 bytes) is not whole yet.
/// Errors: InvalidArgument (not a message, or one of more than a mebibyte).
Result<size_t> message_size(std::string_view bytes);
/// `bytes` is one whole message. Errors: InvalidArgument.
Result<WireMessage> parse_message(std::string_view bytes);
/// The strings, object paths and 32-bit numbers (as text) of a body, up to the first value of another type.
std::vector<std::string> body_words(const WireMessage& message);

}  // namespace sampan::cgroup::internal
