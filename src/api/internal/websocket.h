#pragma once
// api/internal/websocket: the server's side of a WebSocket connection. The frames are pure; the relay is a coroutine.
// Source: RFC 6455.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "async/async.h"
#include "base/result.h"
#include "sys/fd.h"

namespace sampan::api {

enum class Opcode : uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

/// The answer to Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);
/// One whole frame as a server sends it: final and not masked.
std::string format_websocket_frame(Opcode opcode, std::string_view payload);
/// The payload of a close frame.
std::string format_websocket_close(uint16_t code);

/// Reads a client's frames from bytes that come in any pieces. Messages are not put together: what they carry is a
/// stream, so a frame of any length costs no memory.
class WebSocketParser {
 public:
  struct Input {
    std::string data;     // of text and binary frames, in order
    std::string control;  // payload of the newest ping, or of the close
    bool pinged = false, closed = false;
  };
  /// Consumes all of `bytes`; what comes behind a close is ignored.
  /// Errors: InvalidArgument for what the protocol forbids (not masked, reserved bits, a long control frame).
  Result<void> feed(std::string_view bytes, Input& out);

 private:
  Result<void> read_header(std::string_view header);
  size_t header_size() const;
  void take_payload(std::string_view bytes, Input& out);
  void end_frame(Input& out);

  std::string header_;
  std::string control_;
  Opcode opcode_ = Opcode::Binary;
  std::array<char, 4> mask_{};
  uint64_t left_ = 0, position_ = 0;
  bool in_payload_ = false, in_message_ = false, closed_ = false;
};

/// Carries bytes between a WebSocket client and a plain stream until one of them ends; both are closed then.
/// `messages` is the kind of frame the client gets. Memory is bounded: neither side is read ahead of the other.
async::Task<void> relay_websocket(sys::Fd client, std::string leftover, sys::Fd stream, Opcode messages);

}  // namespace sampan::api
