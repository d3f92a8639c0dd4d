#include "logs/internal/logger_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sys/error.h"
#include "sys/packet.h"
#include "sys/process.h"
#include "sys/program.h"

namespace sampan::logs {

namespace {

constexpr auto kFirstReport = std::chrono::seconds(15);  // the logger's own deadline is shorter
constexpr auto kFirstDelay = std::chrono::milliseconds(500), kLongestDelay = std::chrono::milliseconds(30'000);
// Of a logger that does not read (it is stopped, it has died): the buffer proper is in the logger.
constexpr size_t kLeastWaiting = 256 << 10;

/// For a grandchild: the logger is nobody's child, so that nobody has to reap it, and it outlives the shim.
[[noreturn]] void become_logger(const std::string& program, int socket) {
  if (::fork() != 0) ::_exit(0);
  ::setsid();
  sys::become_program({program,
                       {"sampan-logger", std::to_string(socket)},
                       {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                       -1,
                       -1,
                       {socket}});
}

size_t size_of_entry(std::string_view bytes) {
  ForwardHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return sizeof header + header.text_bytes + header.id_bytes;
}

bool wait_for(int fd, short events, std::chrono::milliseconds patience) {
  pollfd polled{fd, events, 0};
  return ::poll(&polled, 1, static_cast<int>(std::max<int64_t>(patience.count(), 0))) > 0;
}

/// A length and so many bytes. Errors: Unavailable.
Result<std::string> read_report(int socket) {
  std::string bytes;
  auto end = std::chrono::steady_clock::now() + kFirstReport;
  uint32_t length = 0;
  for (;;) {
    if (bytes.size() >= sizeof length) std::memcpy(&length, bytes.data(), sizeof length);
    if (bytes.size() >= sizeof length && bytes.size() - sizeof length >= length) return bytes.substr(sizeof length);
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !wait_for(socket, POLLIN, left)) return fail(Code::Unavailable, "the logger is silent");
    char piece[1024];
    ssize_t got = ::recv(socket, piece, sizeof piece, 0);
    if (got <= 0) return fail(Code::Unavailable, "the logger has ended");
    bytes.append(piece, static_cast<size_t>(got));
  }
}

}  // namespace

Result<void> LoggerLink::spawn() {
  if (::access(program_.c_str(), X_OK) != 0) return sys::sys_error("find sampan-logger", program_);
  auto [ours, theirs] = TRY(sys::make_stream_pair());
  pid_t child = ::fork();
  if (child < 0) return sys::sys_error("fork");
  if (child == 0) become_logger(program_, theirs.get());
  (void)sys::reap(child);
  theirs.reset();
  std::string hello = format_hello(hello_);
  // The pair is empty: settings that do not fit into it are no settings.
  if (::send(ours.get(), hello.data(), hello.size(), MSG_NOSIGNAL | MSG_DONTWAIT) != static_cast<ssize_t>(hello.size()))
    return fail(Code::Unavailable, "the logger takes no settings");
  socket_ = std::move(ours);
  return {};
}

Result<void> LoggerLink::open() {
  TRY(spawn());
  std::string failure = TRY(read_report(socket_.get()));
  if (!failure.empty()) return fail(Code::Unavailable, "{}", failure);
  hello_.resumed = true;  // the ones that come after it
  return {};
}

void LoggerLink::add(const Entry& entry) {
  // In blocking mode the container is held back; what comes here then has been written already and fits.
  size_t limit = std::max(static_cast<size_t>(hello_.buffer_bytes), kLeastWaiting);
  bool dropping = !hello_.blocking || !socket_.valid();
  if (dropping && pending_.size() + sizeof(ForwardHeader) + entry.text.size() > limit) return;
  ForwardHeader header{.unix_nanos = entry.time.unix_nanos,
                       .text_bytes = static_cast<uint32_t>(entry.text.size()),
                       .id_bytes = static_cast<uint32_t>(entry.partial_id.size()),
                       .ordinal = entry.ordinal,
                       .stream = static_cast<uint8_t>(entry.stream),
                       .partial = entry.partial,
                       .last = entry.last,
                       .unused = 0};
  pending_.append(reinterpret_cast<const char*>(&header), sizeof header).append(entry.text).append(entry.partial_id);
}

bool LoggerLink::ensure_logger() {
  if (socket_.valid()) return true;
  auto now = Clock::now();
  if (now < next_start_) return false;
  delay_ = std::clamp(2 * delay_, std::chrono::milliseconds(kFirstDelay), kLongestDelay);
  next_start_ = now + delay_;
  return spawn().has_value();
}

void LoggerLink::forget_logger() {
  socket_.reset();
  sent_ = 0;  // the next logger begins with a whole entry
}

/// Entries that are wholly on their way.
void LoggerLink::drop_sent() {
  if (sent_ == pending_.size()) {
    pending_.clear();
    sent_ = 0;
    return;
  }
  size_t whole = 0;
  for (;;) {
    size_t size = size_of_entry(std::string_view(pending_).substr(whole));
    if (whole + size > sent_) break;
    whole += size;
  }
  pending_.erase(0, whole);
  sent_ -= whole;
}

void LoggerLink::push() {
  while (!pending_.empty() && ensure_logger()) {
    ssize_t done = ::send(socket_.get(), pending_.data() + sent_, pending_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) return;
    if (done < 0) {
      forget_logger();
      continue;
    }
    sent_ += static_cast<size_t>(done);
    drop_sent();
  }
}

void LoggerLink::close(std::chrono::milliseconds patience) {
  auto end = Clock::now() + patience;
  if (!socket_.valid()) next_start_ = {};
  push();
  while (fd() >= 0) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0 || !wait_for(fd(), POLLOUT, left)) break;
    push();
  }
  socket_.reset();
  pending_ = {};
  sent_ = 0;
}

void LoggerLink::trim() {
  if (pending_.empty()) pending_ = {};
}

}  // namespace sampan::logs
