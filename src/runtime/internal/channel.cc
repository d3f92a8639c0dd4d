#include "runtime/internal/channel.h"

#include <poll.h>

#include <cerrno>
#include <cstring>

namespace sampan::runtime::internal {
namespace {

constexpr size_t kMaxText = 3500;
struct ErrorHead {
  int32_t code;
  int32_t err;
};

}  // namespace

Result<void> Channel::send(Message message, std::string_view text, std::span<const int> fds) {
  std::string packet(1, static_cast<char>(message));
  packet += text.substr(0, kMaxText);
  return sys::send_packet(socket_.get(), packet, fds);
}

void Channel::send_error(const Error& error) {
  ErrorHead head{static_cast<int32_t>(error.code()), error.errno_value()};
  std::string text(reinterpret_cast<const char*>(&head), sizeof head);
  text += error.message();
  (void)send(Message::Error, text);  // nobody is left to tell when the parent has gone
}

Error unpack_error(std::string_view text) {
  ErrorHead head{static_cast<int32_t>(Code::Unknown), 0};
  if (text.size() >= sizeof head) {
    std::memcpy(&head, text.data(), sizeof head);
    text.remove_prefix(sizeof head);
  }
  return Error(static_cast<Code>(head.code), std::string(text), head.err);
}

Result<Channel::Received> Channel::receive() {
  auto packet = TRY(sys::receive_packet(socket_.get()));
  Received received;
  if (packet.bytes.empty()) return received;
  received.message = static_cast<Message>(packet.bytes[0]);
  received.text = packet.bytes.substr(1);
  received.fds = std::move(packet.fds);
  return received;
}

bool Channel::is_heard() const {
  pollfd entry{socket_.get(), 0, 0};
  int ready;
  do ready = ::poll(&entry, 1, 0);
  while (ready < 0 && errno == EINTR);
  return ready == 0;
}

Result<std::string> Channel::wait_go() {
  auto received = TRY(receive());
  if (received.message != Message::Go) return fail(Code::Unavailable, "the creating process has gone");
  return std::move(received.text);
}

}  // namespace sampan::runtime::internal
