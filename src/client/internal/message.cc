#include "client/internal/message.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace sampan::client {

namespace {

constexpr size_t kMaxHead = 1 << 20;

std::string_view take_line(std::string_view& text) {
  size_t end = text.find("\r\n");
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(text.size(), end == std::string_view::npos ? text.size() : end + 2));
  return line;
}

}  // namespace

Result<std::string> format_request_head(const RequestHead& head) {
  if (head.target.find_first_of("\r\n ") != std::string::npos) {
    return fail(Code::InvalidArgument, "invalid character in request path \"{}\"", head.target);
  }
  std::string out = head.method + ' ' + head.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : head.headers) {
    if (value.find_first_of("\r\n") != std::string::npos) {
      return fail(Code::InvalidArgument, "invalid character in header {}", name);
    }
    out += name + ": " + value + "\r\n";
  }
  return out + "\r\n";
}

Result<std::optional<Response>> take_response_head(std::string& buffer) {
  size_t end = buffer.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (buffer.size() > kMaxHead) return fail(Code::Internal, "the daemon's answer has no end of its head");
    return std::optional<Response>();
  }
  std::string_view head = std::string_view(buffer).substr(0, end + 2);
  std::string_view status = take_line(head);
  Response response;
  auto [parsed, error] = std::pair{status.data(), std::errc::invalid_argument};
  if (status.starts_with("HTTP/1.") && status.size() >= 12) {
    auto result = std::from_chars(status.data() + 9, status.data() + 12, response.status);
    error = result.ec;
  }
  if (error != std::errc()) return fail(Code::Internal, "malformed HTTP answer \"{}\"", status.substr(0, 60));
  while (!head.empty()) {
    auto pair = split_once(take_line(head), ':');
    if (pair) response.headers.emplace_back(std::string(trim(pair->first)), std::string(trim(pair->second)));
  }
  buffer.erase(0, end + 4);
  return std::optional<Response>(std::move(response));
}

Result<void> ChunkedDecoder::decode(std::string& wire, std::string& payload) {
  std::string_view rest = wire;
  while (state_ != State::Done && TRY(step(rest, payload))) {
  }
  wire.erase(0, wire.size() - rest.size());
  return {};
}

// One step; false when more bytes are needed.
Result<bool> ChunkedDecoder::step(std::string_view& wire, std::string& payload) {
  if (state_ == State::Data) {
    size_t count = std::min<uint64_t>(left_, wire.size());
    payload.append(wire.substr(0, count));
    wire.remove_prefix(count);
    left_ -= count;
    if (left_ > 0) return false;
    state_ = State::DataEnd;
    return true;
  }
  size_t end = wire.find("\r\n");
  if (end == std::string_view::npos) {
    if (wire.size() > kMaxHead) return fail(Code::Internal, "malformed chunk in the daemon's answer");
    return false;
  }
  std::string_view line = take_line(wire);
  if (state_ == State::DataEnd) {
    state_ = State::Size;
  } else if (state_ == State::Trailer) {
    if (line.empty()) state_ = State::Done;
  } else {
    line = trim(line.substr(0, line.find(';')));
    auto result = std::from_chars(line.data(), line.data() + line.size(), left_, 16);
    if (result.ec != std::errc() || result.ptr != line.data() + line.size()) {
      return fail(Code::Internal, "malformed chunk size in the daemon's answer");
    }
    state_ = left_ == 0 ? State::Trailer : State::Data;
  }
  return true;
}

}  // namespace sampan::client
