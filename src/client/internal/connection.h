#pragma once
// client/internal/connection: one socket carrying one request and its answer, both directions at once.

#include <memory>
#include <string>

#include "client/client.h"
#include "client/internal/message.h"

namespace sampan::client {

class Connection final : public Exchange {
 public:
  explicit Connection(sys::Fd socket) : socket_(std::move(socket)) {}

  /// Sends the request and returns when the final answer's head is there (100 Continue is skipped). `body` may be null;
  /// it is borrowed until the whole answer is read.
  Result<void> start(const RequestHead& request, std::string_view fixed_body, ByteSource* body);
  const Response& head() const override { return head_; }
  Result<size_t> read(std::span<char> buffer) override;

  /// Reads the rest of the body now; read() yields it again.
  Result<std::string> buffer_body();

  /// After an upgrade: the socket, and what was already read from it.
  sys::Fd release_socket() { return std::move(socket_); }
  std::string take_leftover() { return std::move(wire_); }

 private:
  enum class Framing { None, Length, Chunked, UntilClose };

  Result<void> send_all(std::string_view bytes);
  Result<bool> fill();
  Result<void> send_body_piece();
  Result<bool> receive(int flags);
  void choose_framing(const std::string& method);
  Result<void> refill_payload();

  sys::Fd socket_;
  ByteSource* body_ = nullptr;  // null once it is sent
  std::string outgoing_;        // the piece of the body being sent
  std::string wire_;            // received, not yet decoded
  std::string payload_;         // decoded, not yet read
  size_t payload_taken_ = 0;
  Response head_;
  Framing framing_ = Framing::None;
  uint64_t length_left_ = 0;
  ChunkedDecoder chunks_;
  bool closed_ = false;
};

}  // namespace sampan::client
