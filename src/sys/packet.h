#pragma once
// sys/packet: local SOCK_SEQPACKET sockets: whole messages with descriptors beside them. And sealed-off memory files
// for what is too large for a message.

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

inline constexpr size_t kMaxPacketFds = 8;

struct Packet {
  std::string bytes;
  std::vector<Fd> fds;
  bool end = false;  // the other side has closed
};

Result<std::pair<Fd, Fd>> make_packet_pair();
/// A connected pair of byte streams.
Result<std::pair<Fd, Fd>> make_stream_pair();

/// Sends one message; never raises SIGPIPE. Errors: Unavailable (the other side has gone), ResourceExhausted with
/// EAGAIN (its queue is full and `wait` is over; zero does not wait).
Result<void> send_packet(int socket, std::string_view bytes, std::span<const int> fds = {},
                         std::chrono::milliseconds wait = std::chrono::milliseconds(0));
/// The next message; nullopt when there is none within `wait`.
/// Errors: DataLoss when descriptors were cut off (the table is full).
Result<std::optional<Packet>> receive_packet(int socket, std::chrono::milliseconds wait);
/// The next message, however long it takes; an empty one with `end` when the other side has closed.
Result<Packet> receive_packet(int socket);

/// A listening path socket, mode 0600. The directory may lie deeper than a socket's name is long.
Result<Fd> listen_packets(int dir, const std::string& name);
/// Errors: NotFound, Unavailable (nobody listens).
Result<Fd> connect_packets(int dir, const std::string& name);
/// Connects to a byte-stream socket by its path. Errors: NotFound, Unavailable (nobody listens), InvalidArgument (the
/// path is longer than a socket's name can be).
Result<Fd> connect_stream(const std::string& path);
/// nullopt: nobody is waiting.
Result<std::optional<Fd>> accept_packets(int listener);

/// An anonymous memory file with this content.
Result<Fd> make_memory_file(const char* name, std::span<const std::string_view> parts);
/// Its content. Errors: ResourceExhausted past `limit`.
Result<std::string> read_memory_file(int fd, size_t limit = 64 << 20);

}  // namespace sampan::sys
