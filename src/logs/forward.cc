#include "logs/forward.h"

#include <cstring>

#include "codec/json.h"
#include "logs/internal/line_splitter.h"
#include "sys/file.h"

namespace sampan::logs {

namespace {

constexpr size_t kPiece = 64 << 10;
constexpr uint32_t kMaxHello = 4 << 20;
constexpr uint32_t kMaxText = 1 << 20;  // no entry of ours is longer than 16 KiB

}  // namespace

Result<bool> ForwardReader::want(size_t bytes) {
  while (buffer_.size() - begin_ < bytes) {
    buffer_.erase(0, std::exchange(begin_, 0));
    size_t size = buffer_.size();
    buffer_.resize(size + std::max(kPiece, bytes - size));
    auto got = sys::read_some(socket_, std::span(buffer_).subspan(size));
    buffer_.resize(size + (got ? *got : 0));
    if (!got) return std::move(got).error();
    if (*got == 0) return false;
  }
  return true;
}

Result<ForwardHello> ForwardReader::read_hello() {
  uint32_t length = 0;
  if (!TRY(want(sizeof length))) return fail(Code::DataLoss, "no settings");
  std::memcpy(&length, held().data(), sizeof length);
  if (length > kMaxHello || !TRY(want(sizeof length + length))) return fail(Code::DataLoss, "torn settings");
  auto hello = codec::from_json<ForwardHello>(held().substr(sizeof length, length));
  begin_ += sizeof length + length;
  return hello;
}

Result<bool> ForwardReader::next(ForwardedEntry& out) {
  ForwardHeader header;
  if (!TRY(want(sizeof header))) return false;
  std::memcpy(&header, held().data(), sizeof header);
  if (header.text_bytes > kMaxText || header.id_bytes > kMaxText) return fail(Code::DataLoss, "malformed entry");
  if (!TRY(want(sizeof header + header.text_bytes + header.id_bytes))) return false;
  std::string_view body = held().substr(sizeof header);
  out.stream = header.stream == static_cast<uint8_t>(Stream::Stderr) ? Stream::Stderr : Stream::Stdout;
  out.time = {header.unix_nanos};
  out.text.assign(body.substr(0, header.text_bytes));
  out.partial = header.partial != 0;
  out.last = header.last != 0;
  out.ordinal = header.ordinal;
  out.partial_id.assign(body.substr(header.text_bytes, header.id_bytes));
  begin_ += sizeof header + header.text_bytes + header.id_bytes;
  return true;
}

std::string format_hello(const ForwardHello& hello) {
  std::string json = codec::to_json(hello);
  auto length = static_cast<uint32_t>(json.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json;
}

Result<void> send_report(int socket, std::string_view text) {
  auto length = static_cast<uint32_t>(text.size());
  std::string out(reinterpret_cast<const char*>(&length), sizeof length);
  return sys::write_all(socket, out.append(text));
}

}  // namespace sampan::logs
