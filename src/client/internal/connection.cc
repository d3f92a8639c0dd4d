#include "client/internal/connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/strings.h"
#include "sys/error.h"

namespace sampan::client {

namespace {

constexpr size_t kPiece = 64 << 10;

bool is_gone(int err) {
  return err == EPIPE || err == ECONNRESET;
}

}  // namespace

Result<void> Connection::start(const RequestHead& request, std::string_view fixed_body, ByteSource* body) {
  std::string first = TRY(format_request_head(request));
  first += fixed_body;
  auto sent = send_all(first);
  // A daemon that refuses a request early closes while we send; its answer says why.
  if (!sent && !is_gone(sent.error().errno_value())) return sent;
  body_ = body;
  while (true) {
    auto head = TRY(take_response_head(wire_));
    if (head && head->status != 100) {
      head_ = std::move(*head);
      break;
    }
    if (!head && !TRY(fill())) return fail(Code::Unavailable, "the daemon closed the connection without an answer");
  }
  choose_framing(request.method);
  return {};
}

Result<void> Connection::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return sys::sys_error("send");
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<bool> Connection::receive(int flags) {
  size_t old = wire_.size();
  wire_.resize(old + kPiece);
  ssize_t count;
  do {
    count = ::recv(socket_.get(), wire_.data() + old, kPiece, flags);
  } while (count < 0 && errno == EINTR);
  int err = errno;
  wire_.resize(old + static_cast<size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0 && err == EAGAIN) return true;
  if (count < 0 && !is_gone(err)) return sys::sys_error_of(err, "recv");
  if (count <= 0) closed_ = true;
  return count > 0;
}

// Waits for at least one more byte in wire_ and sends the body meanwhile; false at the end of the connection.
Result<bool> Connection::fill() {
  if (closed_) return false;
  while (body_) {
    pollfd ready{socket_.get(), POLLIN | POLLOUT, 0};
    if (::poll(&ready, 1, -1) < 0) {
      if (errno == EINTR) continue;
      return sys::sys_error("poll");
    }
    size_t before = wire_.size();
    if (ready.revents & (POLLIN | POLLHUP | POLLERR)) {
      if (!TRY(receive(MSG_DONTWAIT))) return false;
      if (wire_.size() > before) return true;
    }
    if (ready.revents & POLLOUT) TRY(send_body_piece());
  }
  return receive(0);
}

Result<void> Connection::send_body_piece() {
  if (outgoing_.empty()) {
    std::string piece(kPiece, '\0');
    size_t count = TRY(body_->read(piece));
    piece.resize(count);
    outgoing_ = fmt::format("{:x}\r\n{}\r\n", count, piece);
    if (count == 0) body_ = nullptr;  // outgoing_ now holds the end mark
  }
  if (!body_) {
    auto sent = send_all(outgoing_);
    if (!sent && !is_gone(sent.error().errno_value())) return sent;
    outgoing_.clear();
    return {};
  }
  ssize_t count = ::send(socket_.get(), outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (count < 0 && is_gone(errno)) {
    body_ = nullptr;  // refused half-way: the answer that follows is the reason
    return {};
  }
  if (count < 0) return sys::sys_error("send");
  outgoing_.erase(0, static_cast<size_t>(count));
  return {};
}

void Connection::choose_framing(const std::string& method) {
  if (method == "HEAD" || head_.status == 204 || head_.status == 304) {
    framing_ = Framing::None;
  } else if (to_lower(head_.header("Transfer-Encoding")).find("chunked") != std::string::npos) {
    framing_ = Framing::Chunked;
  } else if (auto length = parse_uint(head_.header("Content-Length"))) {
    framing_ = Framing::Length;
    length_left_ = *length;
  } else {
    framing_ = Framing::UntilClose;
  }
}

// Moves what is decodable from wire_ to the empty payload_.
Result<void> Connection::refill_payload() {
  payload_.clear();
  payload_taken_ = 0;
  if (framing_ == Framing::Chunked) return chunks_.decode(wire_, payload_);
  size_t count = wire_.size();
  if (framing_ == Framing::Length) {
    count = std::min<uint64_t>(count, length_left_);
    length_left_ -= count;
  }
  payload_ = wire_.substr(0, count);
  wire_.erase(0, count);
  return {};
}

Result<size_t> Connection::read(std::span<char> buffer) {
  while (payload_taken_ == payload_.size()) {
    if (framing_ == Framing::None || (framing_ == Framing::Length && length_left_ == 0)) return 0;
    if (framing_ == Framing::Chunked && chunks_.finished()) return 0;
    TRY(refill_payload());
    if (!payload_.empty()) break;
    if (framing_ == Framing::Chunked && chunks_.finished()) return 0;
    if (TRY(fill())) continue;
    if (framing_ == Framing::UntilClose) return 0;
    return fail(Code::Unavailable, "unexpected EOF");
  }
  size_t count = std::min(buffer.size(), payload_.size() - payload_taken_);
  std::copy_n(payload_.data() + payload_taken_, count, buffer.data());
  payload_taken_ += count;
  return count;
}

Result<std::string> Connection::buffer_body() {
  std::string all;
  std::vector<char> buffer(kPiece);
  while (size_t count = TRY(read(buffer))) all.append(buffer.data(), count);
  payload_ = all;
  payload_taken_ = 0;
  framing_ = Framing::None;
  return all;
}

}  // namespace sampan::client
