// GET /containers/{id}/logs: what is there, and with follow=1 what comes, until the container stops.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "api/internal/frames.h"
#include "api/internal/json_answer.h"
#include "api/internal/streams.h"
#include "async/signal.h"
#include "base/strings.h"
#include "codec/text.h"
#include "sys/error.h"

#include <unistd.h>

namespace sampan::api {
namespace {

constexpr size_t kBatchBytes = 128 << 10;

Result<logs::ReadOptions> parse_options(const Call& call) {
  logs::ReadOptions out;
  out.stdout_ = call.flag("stdout");
  out.stderr_ = call.flag("stderr");
  if (!out.stdout_ && !out.stderr_) {
    return fail(Code::InvalidArgument, "Bad parameters: you must choose at least one stream");
  }
  if (std::string text = call.get("since"); !text.empty() && text != "0") {
    out.since = TRY_CONTEXT(codec::parse_timestamp(text), "since");
  }
  if (std::string text = call.get("until"); !text.empty() && text != "0") {
    out.until = TRY_CONTEXT(codec::parse_timestamp(text), "until");
  }
  // Anything that is no number means all, as in Docker.
  auto tail = parse_int(call.get("tail", "all"));
  out.tail = tail && *tail >= 0 ? *tail : -1;
  return out;
}

/// Up to kBatchBytes of formatted lines; empty at the present end.
Result<std::string> read_batch(logs::Reader& reader, const LineFormat& format) {
  std::string out;
  logs::Line line;  // one for all: its memory is used again
  while (out.size() < kBatchBytes && TRY(reader.next(line))) append_line(line, format, out);
  return out;
}

/// Sets the signal whenever the reader's descriptor becomes readable, until it is destroyed. Loop thread only.
class LogWatch {
 public:
  LogWatch(async::asio::any_io_executor loop, int fd, async::Signal signal)
      : state_(std::make_shared<State>(std::move(loop), fd, std::move(signal))) {
    if (fd >= 0) state_->arm();
  }
  ~LogWatch() { state_->close(); }
  LogWatch(const LogWatch&) = delete;

  /// After the reader was drained: look again.
  void rearm() { state_->arm(); }

 private:
  struct State : std::enable_shared_from_this<State> {
    State(async::asio::any_io_executor loop, int fd, async::Signal wake) : descriptor(loop), signal(std::move(wake)) {
      // A duplicate: the descriptor object closes what it holds, and the reader keeps its own.
      int copy = fd >= 0 ? ::dup(fd) : -1;
      if (copy >= 0) descriptor.assign(copy);
    }
    void arm() {
      if (armed || !descriptor.is_open()) return;
      armed = true;
      descriptor.async_wait(async::asio::posix::descriptor_base::wait_read,
                            [self = shared_from_this()](boost::system::error_code error) {
                              self->armed = false;
                              if (!error) self->signal.set();
                            });
    }
    void close() {
      boost::system::error_code ignored;
      if (descriptor.is_open()) descriptor.close(ignored);
    }
    async::asio::posix::stream_descriptor descriptor;
    async::Signal signal;
    bool armed = false;
  };
  std::shared_ptr<State> state_;
};

std::chrono::steady_clock::time_point until_deadline(const logs::ReadOptions& options) {
  if (!options.until) return std::chrono::steady_clock::time_point::max();
  auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  auto left = std::chrono::nanoseconds(options.until->unix_nanos) - now;
  if (left > std::chrono::hours(24 * 365)) return std::chrono::steady_clock::time_point::max();
  return std::chrono::steady_clock::now() + left;
}

struct Following {
  Call& call;
  StreamContext context;
  logs::Reader& reader;
  LineFormat format;
  std::string id;
  uint64_t generation;
};

bool still_writes(const Following& f) {
  auto record = f.call.engine().get_container(f.id);
  return record && (*record)->state.running();
}

async::Task<Result<bool>> send_batches(const Following& f) {
  bool any = false;
  for (;;) {
    auto read = co_await async::blocking(f.context.reads, [&f] { return read_batch(f.reader, f.format); });
    auto batch = CO_TRY(std::move(read));
    if (batch.empty()) co_return any;
    any = true;
    CO_TRY(co_await f.context.exchange.write_chunk(batch));
  }
}

async::Task<Result<void>> follow(const Following& f, std::chrono::steady_clock::time_point deadline) {
  auto loop = co_await async::asio::this_coro::executor;
  async::Signal signal(loop);
  LogWatch watch(loop, f.reader.poll_fd(), signal);
  auto subscription =
      f.call.engine().watch_containers([setter = signal.setter(), id = f.id](const std::string& changed) {
        if (changed == id) setter();
      });
  f.context.exchange.on_closed(signal.setter());
  while (!f.context.exchange.cancel().cancelled()) {
    // The order matters: what was written before the container ended is read after its end was seen.
    bool last = !still_writes(f) || std::chrono::steady_clock::now() >= deadline;
    f.reader.acknowledge();
    CO_TRY(co_await send_batches(f));
    if (last) break;
    watch.rearm();
    (void)co_await signal.wait_until(deadline);
  }
  co_return Result<void>();
}

}  // namespace

async::Task<Result<void>> stream_logs(Call& call, StreamContext context) {
  auto options = CO_TRY(parse_options(call));
  auto record = CO_TRY(call.engine().get_container(call.name));
  auto opened = co_await async::blocking(context.reads, [&] { return call.engine().open_logs(record->id, options); });
  auto reader = CO_TRY(std::move(opened));
  bool tty = record->config.tty;
  bool old = call.version < Version{1, 42};
  const char* type = tty || old ? "application/vnd.docker.raw-stream" : "application/vnd.docker.multiplexed-stream";
  CO_TRY(co_await context.exchange.start_stream({200, {{"Content-Type", type}}, ""}));
  Following f{call,       context,           *reader, {!tty, call.flag("timestamps"), call.flag("details")},
              record->id, record->generation};
  Result<void> done;
  if (call.flag("follow")) {
    done = co_await follow(f, until_deadline(options));
  } else if (auto sent = co_await send_batches(f); !sent) {
    done = std::move(sent).error();
  }
  if (!done && done.error().code() != Code::Cancelled) {
    std::string text = "Error grabbing logs: " + done.error().message() + "\n";
    (void)co_await context.exchange.write_chunk(tty ? text : format_frame(static_cast<logs::Stream>(3), text));
  }
  co_return co_await context.exchange.finish_stream();
}

}  // namespace sampan::api
