#include "cli/stream/session.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/stream/frames.h"
#include "cli/stream/signals.h"
#include "cli/stream/terminal.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::cli {

namespace {

Result<void> write_output(Output output, std::string_view bytes) {
  return sys::write_all(output == Output::Stderr ? STDERR_FILENO : STDOUT_FILENO, bytes);
}

class Session {
 public:
  Session(client::Client::Upgraded connection, const SessionOptions& options, std::string keys, SignalWatch signals)
      : connection_(std::move(connection)), options_(options), keys_(std::move(keys)), signals_(std::move(signals)) {}

  Result<SessionEnd> run() {
    if (options_.with_stdin && options_.tty && is_terminal(STDIN_FILENO)) {
      raw_.emplace(TRY(RawTerminal::enter(STDIN_FILENO)));
    }
    stdin_open_ = options_.with_stdin;
    if (options_.on_ready) TRY(options_.on_ready());
    TRY(show(std::exchange(connection_.leftover, {})));
    while (open_) TRY(step());
    return detached_ ? SessionEnd::Detached : SessionEnd::Closed;
  }

 private:
  Result<void> step() {
    pollfd waits[3] = {{connection_.socket.get(), POLLIN, 0}, {signals_.fd(), POLLIN, 0}, {-1, POLLIN, 0}};
    if (!pending_.empty()) waits[0].events |= POLLOUT;
    // New input is read only when the old has left: a slow container slows the user down, not the memory.
    if (stdin_open_ && pending_.empty()) waits[2].fd = STDIN_FILENO;
    // A daemon that does not answer the detach keys must not hold the terminal for ever.
    int ready = ::poll(waits, 3, detached_ ? 2000 : -1);
    if (ready < 0 && errno != EINTR) return sys::sys_error("poll");
    if (ready == 0) open_ = false;
    if (ready <= 0) return {};
    if (waits[1].revents) take_signals();
    if (waits[0].revents & (POLLIN | POLLHUP | POLLERR)) TRY(take_output());
    if (open_ && (waits[0].revents & POLLOUT)) TRY(send_pending());
    if (open_ && waits[2].revents) TRY(take_input());
    return {};
  }

  void take_signals() {
    while (auto signal = signals_.next()) {
      if (*signal == SIGWINCH) {
        if (options_.on_resize) options_.on_resize();
      } else if (options_.on_signal) {
        options_.on_signal(*signal);
      } else if (*signal != SIGCONT) {
        raw_.reset();
        die_by_signal(*signal);
      }
    }
  }

  Result<void> take_output() {
    ssize_t count = ::recv(connection_.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count < 0 && errno != ECONNRESET) return sys::sys_error("recv");
    if (count <= 0) {
      open_ = false;
      return {};
    }
    return show(std::string_view(buffer_.data(), static_cast<size_t>(count)));
  }

  Result<void> show(std::string_view bytes) {
    if (options_.tty) return write_output(Output::Stdout, bytes);
    return frames_.decode(bytes, write_output);
  }

  Result<void> take_input() {
    size_t count = TRY(sys::read_some(STDIN_FILENO, buffer_));
    if (count == 0) {
      stdin_open_ = false;
      // The daemon goes on sending output behind a half-close.
      ::shutdown(connection_.socket.get(), SHUT_WR);
      return {};
    }
    pending_.assign(buffer_.data(), count);
    if (raw_) watch_for_keys(pending_);
    return send_pending();
  }

  // The keys are sent, too: the daemon sees them, writes its event and closes the stream.
  void watch_for_keys(std::string_view typed) {
    for (char c : typed) {
      matched_ = c == keys_[matched_] ? matched_ + 1 : (c == keys_[0] ? 1 : 0);
      if (matched_ < keys_.size()) continue;
      detached_ = true;
      matched_ = 0;
    }
  }

  Result<void> send_pending() {
    ssize_t count = ::send(connection_.socket.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count < 0) {
      // The container no longer reads; its output may still be on the way.
      pending_.clear();
      stdin_open_ = false;
      return {};
    }
    pending_.erase(0, static_cast<size_t>(count));
    return {};
  }

  client::Client::Upgraded connection_;
  const SessionOptions& options_;
  std::string keys_;
  SignalWatch signals_;
  std::optional<RawTerminal> raw_;
  FrameDecoder frames_;
  std::string pending_;
  std::vector<char> buffer_ = std::vector<char>(32 << 10);
  bool stdin_open_ = false;
  bool open_ = true;
  bool detached_ = false;
  size_t matched_ = 0;
};

}  // namespace

Result<std::string> parse_detach_keys(const std::string& text) {
  std::string out;
  for (const std::string& key : split(text, ',')) {
    static constexpr std::string_view kControls = "@abcdefghijklmnopqrstuvwxyz[\\]^_";
    size_t at = key.size() == 6 && key.starts_with("ctrl-") ? kControls.find(key[5]) : std::string_view::npos;
    if (key.size() == 1) {
      out += key;
    } else if (at != std::string_view::npos) {
      out += static_cast<char>(at);
    } else {
      return fail(Code::InvalidArgument, "invalid detach keys ({}) provided", text);
    }
  }
  return out;
}

Result<SessionEnd> run_session(client::Client::Upgraded connection, const SessionOptions& options) {
  std::string keys = TRY(parse_detach_keys(options.detach_keys.empty() ? "ctrl-p,ctrl-q" : options.detach_keys));
  auto signals = TRY(SignalWatch::make());
  return Session(std::move(connection), options, std::move(keys), std::move(signals)).run();
}

}  // namespace sampan::cli
