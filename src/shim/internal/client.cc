#include "shim/internal/client.h"

#include <sys/socket.h>

#include <cerrno>

namespace sampan::shim {

std::array<char, 8> frame_header(logs::Stream stream, size_t length) {
  auto byte = [&](int shift) { return static_cast<char>(length >> shift & 255); };
  return {static_cast<char>(stream), 0, 0, 0, byte(24), byte(16), byte(8), byte(0)};
}

AttachedClient::AttachedClient(const EventLoop& loop, ScratchBuffer& scratch, ClientOwner& owner, sys::Fd socket,
                               const WireAttach& wiring, std::string detach_keys)
    : loop_(loop),
      scratch_(scratch),
      owner_(owner),
      socket_(std::move(socket)),
      wiring_(wiring),
      scanner_(std::move(detach_keys)) {}

void AttachedClient::begin(std::string_view leftover_input) {
  if (!leftover_input.empty()) handle_input(leftover_input);
  update_watch();
}

void AttachedClient::deliver(logs::Stream stream, std::string_view bytes) {
  if (state_ != State::Serving || bytes.empty()) return;
  if (stream == logs::Stream::Stdout ? !wiring_.stdout_ : !wiring_.stderr_) return;
  auto header = frame_header(stream, bytes.size());
  size_t header_size = wiring_.multiplexed ? header.size() : 0;
  size_t taken = 0;
  if (queue_.empty()) {
    iovec parts[] = {{header.data(), header_size}, {const_cast<char*>(bytes.data()), bytes.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return die();
    taken = sent > 0 ? static_cast<size_t>(sent) : 0;
    if (taken == header_size + bytes.size()) return;
    progress_ = Clock::now();
  }
  std::string_view head(header.data(), header_size);
  queue_.append(head.substr(std::min(taken, header_size)));
  queue_.append(bytes.substr(taken - std::min(taken, header_size)));
  update_watch();
}

void AttachedClient::send_queue() {
  while (sent_ < queue_.size()) {
    ssize_t sent = ::send(socket_.get(), queue_.data() + sent_, queue_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return die();
    if (sent <= 0) break;
    sent_ += static_cast<size_t>(sent);
    progress_ = Clock::now();
  }
  if (sent_ == queue_.size()) {
    queue_ = {};
    sent_ = 0;
    if (state_ == State::Flushing) start_lingering();
  } else if (sent_ >= kQueueLimit / 2) {
    queue_.erase(0, sent_);
    sent_ = 0;
  }
  owner_.client_changed();
}

void AttachedClient::finish() {
  if (state_ != State::Serving) return;
  state_ = State::Flushing;
  if (queue_.empty()) start_lingering();
  update_watch();
}

void AttachedClient::start_lingering() {
  ::shutdown(socket_.get(), SHUT_WR);
  if (!input_open_ || hung_up_) return die();
  state_ = State::Lingering;
  progress_ = Clock::now();
}

void AttachedClient::die() {
  if (state_ == State::Dead) return;
  bool had_input = wiring_.stdin_ && input_open_ && state_ == State::Serving;
  state_ = State::Dead;
  input_open_ = false;
  watch_.reset();
  socket_.reset();
  queue_ = {};
  sent_ = 0;
  if (had_input) (void)owner_.input_ended();  // nobody is left to send output to
  owner_.client_changed();
}

void AttachedClient::pause_input(bool paused) {
  if (state_ == State::Dead || input_paused_ == paused) return;
  input_paused_ = paused;
  // A peer that has gone is out of the loop; its last input is still in the socket.
  if (!paused && hung_up_) read_input();
  update_watch();
}

void AttachedClient::read_input() {
  while (input_open_ && state_ != State::Dead) {
    auto buffer = scratch_.get();
    ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN && !hung_up_ ? void() : die();
    if (got == 0) return handle_input_end();
    handle_input({buffer.data(), static_cast<size_t>(got)});
    if (!hung_up_ || input_paused_) return;  // one piece at a time, unless nothing will wake us again
  }
}

void AttachedClient::handle_input(std::string_view bytes) {
  if (!wiring_.stdin_ || state_ != State::Serving) return;
  if (!scanner_.active()) return owner_.take_input(bytes);
  std::string passed;
  bool detach = scanner_.scan(bytes, passed);
  if (!passed.empty()) owner_.take_input(passed);
  if (!detach) return;
  owner_.detached();
  finish();
}

void AttachedClient::handle_input_end() {
  input_open_ = false;
  if (state_ == State::Lingering || hung_up_) {
    if (hung_up_ && state_ == State::Serving && wiring_.stdin_) (void)owner_.input_ended();
    return die();
  }
  if (state_ == State::Serving && wiring_.stdin_ && !owner_.input_ended()) finish();
}

void AttachedClient::on_ready(uint32_t events) {
  if (events & (EPOLLHUP | EPOLLERR)) {
    hung_up_ = true;
    if (input_paused_ && input_open_) {
      watch_.reset();
      return;
    }
    if (!input_open_) return die();
    return read_input();
  }
  if (events & EPOLLOUT) send_queue();
  if (events & EPOLLIN) read_input();
  update_watch();
}

void AttachedClient::tick(Clock::time_point now) {
  auto end = deadline();
  if (end && now >= *end) die();
}

std::optional<Clock::time_point> AttachedClient::deadline() const {
  if (state_ == State::Lingering) return progress_ + kLinger;
  if (state_ != State::Dead && !queue_.empty()) return progress_ + kPatience;
  return std::nullopt;
}

void AttachedClient::update_watch() {
  if (state_ == State::Dead || hung_up_) return watch_.reset();
  uint32_t events = EPOLLHUP;  // reported anyway: it only keeps the descriptor in the loop
  if (input_open_ && (!input_paused_ || state_ == State::Lingering)) events |= EPOLLIN;
  if (!queue_.empty()) events |= EPOLLOUT;
  watch_.set(loop_, socket_.get(), events, *this);
}

}  // namespace sampan::shim
