#pragma once
// logs/forward: what the shim says to the `sampan-logger` of its container, over a stream socket.
//
//   shim                                             logger
//     | -- length (4 bytes), ForwardHello as JSON ---> |
//     | <-- length (4 bytes), text ------------------- |  once: "" or why the first connection failed (not if resumed)
//     | -- ForwardHeader, text, id of a split line --> |  ... until the end of the stream, which ends the log
//
// Numbers are in the order of this host.

#include <boost/describe/class.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/json_style.h"
#include "logs/logs.h"

namespace sampan::logs {

struct ForwardHello {
  std::string driver;
  std::map<std::string, std::string> settings;    // of the driver: address, tag, container-id, ...
  std::map<std::string, std::string> attributes;  // labels and variables of every line
  bool blocking = false;
  int64_t buffer_bytes = 0;
  bool resumed = false;  // another logger of this log has ended; nobody waits for the first connection
};
BOOST_DESCRIBE_STRUCT(ForwardHello, (), (driver, settings, attributes, blocking, buffer_bytes, resumed))
inline codec::JsonStyle json_style(const ForwardHello*) {
  return {codec::Naming::Snake, codec::Emit::NonEmpty};
}

struct ForwardHeader {
  int64_t unix_nanos;
  uint32_t text_bytes;
  uint32_t id_bytes;
  uint32_t ordinal;
  uint8_t stream, partial, last, unused;
};
static_assert(sizeof(ForwardHeader) == 24);

/// One line, or one part of a line that is longer than 16 KiB.
struct ForwardedEntry {
  Stream stream = Stream::Stdout;
  codec::Time time;
  std::string text;  // without its "\n"
  bool partial = false, last = false;
  uint32_t ordinal = 0;    // of a part, from 1
  std::string partial_id;  // common to the parts
};

/// The logger's side. Threads: one. Blocks: yes.
class ForwardReader {
 public:
  explicit ForwardReader(int socket) : socket_(socket) {}
  Result<ForwardHello> read_hello();
  /// False at the end of the stream. Errors: DataLoss.
  Result<bool> next(ForwardedEntry& out);

 private:
  /// That many bytes at `buffer_`'s front; false when the stream ended before.
  Result<bool> want(size_t bytes);
  std::string_view held() const { return std::string_view(buffer_).substr(begin_); }

  int socket_;
  std::string buffer_;
  size_t begin_ = 0;
};

std::string format_hello(const ForwardHello& hello);
/// The answer to the hello; `text` is "" for success.
Result<void> send_report(int socket, std::string_view text);

}  // namespace sampan::logs
