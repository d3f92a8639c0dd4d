#include "shim/internal/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "sys/error.h"
#include "sys/pty.h"

namespace sampan::shim {

namespace {

constexpr int kDrainPieces = 256;  // far more than a pipe holds: a process that outlives its parent may write for ever

void set_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct Pipe {
  sys::Fd read_end, write_end;
};
Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return sys::sys_error("pipe2");
  return Pipe{sys::Fd(fds[0]), sys::Fd(fds[1])};
}

}  // namespace

codec::Time now_wall() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

ProcessStreams::ProcessStreams(const EventLoop& loop, ScratchBuffer& scratch, StreamOptions options,
                               std::function<void()> on_detach)
    : loop_(loop), scratch_(scratch), options_(options), on_detach_(std::move(on_detach)) {
  outputs_[0].owner = outputs_[1].owner = input_.owner = backlog_.owner = this;
  outputs_[1].stream = logs::Stream::Stderr;
}

Result<runtime::Stdio> ProcessStreams::open_pipes() {
  if (options_.tty) return runtime::Stdio{};
  for (int i : {0, 1}) {
    auto pipe = TRY(make_pipe());
    set_nonblocking(pipe.read_end.get());
    outputs_[i].fd = std::move(pipe.read_end);
    child_ends_[i + 1] = std::move(pipe.write_end);
  }
  if (options_.open_stdin) {
    auto pipe = TRY(make_pipe());
    set_nonblocking(pipe.write_end.get());
    input_.fd = std::move(pipe.write_end);
    child_ends_[0] = std::move(pipe.read_end);
  }
  return runtime::Stdio{child_ends_[0].get(), child_ends_[1].get(), child_ends_[2].get()};
}

void ProcessStreams::adopt(sys::Fd console) {
  for (auto& end : child_ends_) end.reset();
  if (console.valid()) {
    set_nonblocking(console.get());
    // A second descriptor for writing: the loop knows one handler for each.
    if (options_.open_stdin) input_.fd = sys::Fd(::fcntl(console.get(), F_DUPFD_CLOEXEC, 0));
    outputs_[0].fd = std::move(console);
  }
  adopted_ = true;
  update_watches();
}

Result<void> ProcessStreams::attach(sys::Fd client, const WireAttach& wiring, std::string_view leftover_input) {
  WireAttach effective = wiring;
  if (options_.tty) effective.multiplexed = false;
  if (!options_.open_stdin) effective.stdin_ = false;
  std::string keys;
  // Only a terminal has keys: any two bytes may stand next to each other in piped data.
  if (effective.stdin_ && options_.tty) keys = TRY(parse_detach_keys(wiring.detach_keys));
  clients_.push_back(
      std::make_unique<AttachedClient>(loop_, scratch_, *this, std::move(client), effective, std::move(keys)));
  if (!input_.queue.empty()) clients_.back()->pause_input(true);
  clients_.back()->begin(leftover_input);
  update_watches();
  return {};
}

Result<void> ProcessStreams::resize(uint16_t rows, uint16_t columns) {
  if (!options_.tty || !outputs_[0].fd.valid()) return fail(Code::Conflict, "the process has no terminal");
  return sys::set_window_size(outputs_[0].fd.get(), {.rows = rows, .columns = columns});
}

/// Reads one piece; false when there is nothing more to read now.
bool ProcessStreams::read_output(Output& output) {
  auto buffer = scratch_.get();
  ssize_t got = ::read(output.fd.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  if (got <= 0) {  // a terminal answers EIO when nobody has it open
    output.watch.reset();
    output.fd.reset();
    return false;
  }
  std::string_view bytes(buffer.data(), static_cast<size_t>(got));
  write_log(output.stream, bytes);
  if (std::string* kept = options_.kept) kept->append(bytes, 0, kOutputKept - std::min(kOutputKept, kept->size()));
  for (auto& client : clients_) client->deliver(output.stream, bytes);
  update_watches();
  return true;
}

void ProcessStreams::write_log(logs::Stream stream, std::string_view bytes) {
  if (!options_.log) return;
  backlog_.watch.reset();  // the log may close what is watched
  // A log that cannot be written (a full disk) must not stop the process or its clients.
  (void)options_.log->write(stream, bytes, now_wall());
}

void ProcessStreams::push_backlog() {
  backlog_.watch.reset();
  options_.log->push_backlog();
  update_watches();
}

void ProcessStreams::drain() {
  for (auto& output : outputs_) {
    for (int pieces = 0; output.fd.valid() && pieces < kDrainPieces && read_output(output); ++pieces) {
    }
  }
}

bool ProcessStreams::output_ended() const {
  return !outputs_[0].fd.valid() && !outputs_[1].fd.valid();
}

void ProcessStreams::close_pipes() {
  for (auto& output : outputs_) {
    output.watch.reset();
    output.fd.reset();
  }
  backlog_.watch.reset();
  options_.log = nullptr;
  close_input();
}

void ProcessStreams::finish_clients() {
  for (auto& client : clients_) client->finish();
}

void ProcessStreams::take_input(std::string_view bytes) {
  if (!input_.fd.valid() || input_.close_when_empty) return;  // nobody reads: let the client go on
  input_.queue.append(bytes);
  write_input();
}

void ProcessStreams::write_input() {
  std::string& queue = input_.queue;
  size_t written = 0;
  while (written < queue.size()) {
    ssize_t done = ::write(input_.fd.get(), queue.data() + written, queue.size() - written);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) break;
    if (done < 0) return close_input();  // the process has closed its standard input
    written += static_cast<size_t>(done);
  }
  queue.erase(0, written);
  if (queue.empty()) {
    queue = {};
    if (input_.close_when_empty) return close_input();
  }
  update_watches();
}

void ProcessStreams::close_input() {
  input_.watch.reset();
  input_.fd.reset();
  input_.queue = {};
  update_watches();
}

/// What Docker does: with stdin_once the process sees the end and the client keeps its output; otherwise, and with a
/// terminal, the client is let go and the process keeps its input.
bool ProcessStreams::input_ended() {
  if (!options_.stdin_once || options_.tty) return false;
  input_.close_when_empty = true;
  if (input_.fd.valid() && input_.queue.empty()) close_input();
  return true;
}

void ProcessStreams::update_watches() {
  if (!adopted_) return;
  size_t longest = 0;
  for (auto& client : clients_) {
    longest = std::max(longest, client->queued());
    client->pause_input(!input_.queue.empty());
  }
  paused_ = paused_ ? longest > kQueueLimit / 2 : longest >= kQueueLimit;
  int backlog = options_.log ? options_.log->backlog_fd() : -1;
  if (backlog >= 0) backlog_.watch.set(loop_, backlog, EPOLLOUT, backlog_);
  bool wait = paused_ || (backlog >= 0 && options_.log->stalled());
  for (auto& output : outputs_) {
    if (output.fd.valid()) output.watch.set(loop_, output.fd.get(), wait ? 0 : EPOLLIN, output);
  }
  if (input_.fd.valid()) input_.watch.set(loop_, input_.fd.get(), input_.queue.empty() ? 0 : EPOLLOUT, input_);
}

void ProcessStreams::tick(Clock::time_point now) {
  for (auto& client : clients_) client->tick(now);
  if (!clients_changed_) return;
  clients_changed_ = false;
  std::erase_if(clients_, [](const auto& client) { return client->dead(); });
  update_watches();
}

std::optional<Clock::time_point> ProcessStreams::deadline() const {
  std::optional<Clock::time_point> first;
  for (const auto& client : clients_) {
    auto deadline = client->deadline();
    if (deadline && (!first || *deadline < *first)) first = deadline;
  }
  return first;
}

}  // namespace sampan::shim
