#include "api/internal/websocket.h"

#include <algorithm>

#include "codec/sha1.h"
#include "codec/text.h"

namespace sampan::api {
namespace {

constexpr size_t kMostControl = 125;
constexpr uint8_t kFinal = 0x80, kReserved = 0x70, kMasked = 0x80;

bool is_control(Opcode opcode) {
  return static_cast<uint8_t>(opcode) >= 8;
}

bool is_known(Opcode opcode) {
  auto number = static_cast<uint8_t>(opcode);
  return number <= 2 || (number >= 8 && number <= 10);
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t out = 0;
  for (char byte : bytes) out = out << 8 | static_cast<uint8_t>(byte);
  return out;
}

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  return codec::format_base64(codec::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

std::string format_websocket_frame(Opcode opcode, std::string_view payload) {
  std::string out(1, static_cast<char>(kFinal | static_cast<uint8_t>(opcode)));
  if (payload.size() <= kMostControl) {
    out += static_cast<char>(payload.size());
  } else if (payload.size() <= UINT16_MAX) {
    out += static_cast<char>(126);
    append_big_endian(out, payload.size(), 2);
  } else {
    out += static_cast<char>(127);
    append_big_endian(out, payload.size(), 8);
  }
  out += payload;
  return out;
}

std::string format_websocket_close(uint16_t code) {
  std::string out;
  append_big_endian(out, code, 2);
  return out;
}

/// How long the header is that has begun; at least 2.
size_t WebSocketParser::header_size() const {
  if (header_.size() < 2) return 2;
  uint8_t length = static_cast<uint8_t>(header_[1]) & 0x7f;
  size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
  return 2 + more + mask_.size();
}

Result<void> WebSocketParser::read_header(std::string_view header) {
  auto first = static_cast<uint8_t>(header[0]), second = static_cast<uint8_t>(header[1]);
  opcode_ = static_cast<Opcode>(first & 0x0f);
  const bool final = first & kFinal;
  if (first & kReserved || !is_known(opcode_)) return fail(Code::InvalidArgument, "unknown frame {:#x}", first);
  left_ = second & 0x7f;
  if (left_ == 126) left_ = big_endian(header.substr(2, 2));
  if (left_ == 127) left_ = big_endian(header.substr(2, 8));
  if (left_ >> 63) return fail(Code::InvalidArgument, "impossible length of a frame");
  if (is_control(opcode_)) {
    if (!final || left_ > kMostControl) return fail(Code::InvalidArgument, "a control frame must be short and whole");
  } else {
    if (in_message_ != (opcode_ == Opcode::Continuation)) return fail(Code::InvalidArgument, "frame out of order");
    in_message_ = !final;
  }
  std::ranges::copy(header.substr(header.size() - mask_.size()), mask_.begin());
  position_ = 0;
  control_.clear();
  return {};
}

void WebSocketParser::take_payload(std::string_view bytes, Input& out) {
  std::string& target = is_control(opcode_) ? control_ : out.data;
  for (char byte : bytes) target += static_cast<char>(byte ^ mask_[position_++ % mask_.size()]);
  left_ -= bytes.size();
}

void WebSocketParser::end_frame(Input& out) {
  if (opcode_ == Opcode::Ping) out.pinged = true;
  if (opcode_ == Opcode::Close) out.closed = closed_ = true;
  if (opcode_ == Opcode::Ping || opcode_ == Opcode::Close) out.control = control_;
}

Result<void> WebSocketParser::feed(std::string_view bytes, Input& out) {
  while (!closed_ && (!bytes.empty() || (in_payload_ && left_ == 0))) {
    if (!in_payload_) {
      size_t want = std::min(header_size() - header_.size(), bytes.size());
      header_ += bytes.substr(0, want);
      bytes.remove_prefix(want);
      const bool unmasked = header_.size() >= 2 && !(static_cast<uint8_t>(header_[1]) & kMasked);
      if (unmasked) return fail(Code::InvalidArgument, "a client's frame must be masked");
      if (header_.size() < 2 || header_.size() < header_size()) continue;
      TRY(read_header(header_));
      header_.clear();
      in_payload_ = true;
    }
    size_t take = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    take_payload(bytes.substr(0, take), out);
    bytes.remove_prefix(take);
    if (left_ > 0) continue;
    in_payload_ = false;
    end_frame(out);
  }
  return {};
}

}  // namespace sampan::api
