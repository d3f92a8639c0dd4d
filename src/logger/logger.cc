#include "logger/logger.h"

#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <thread>

#include "base/strings.h"
#include "logger/internal/queue.h"
#include "logger/internal/receiver.h"

namespace sampan::logger {

namespace {

constexpr auto kLastWords = std::chrono::seconds(5);  // after the end of the log

class Sender {
 public:
  Sender(Receiver& receiver, EntryQueue& queue, bool connected)
      : receiver_(receiver), queue_(queue), connected_(connected) {}

  void run() {
    for (auto batch = queue_.take(); !batch.empty(); batch = queue_.take()) deliver(batch);
  }

 private:
  /// On a connection that was there, or on a new one.
  bool try_once(std::span<const ForwardedEntry> batch) {
    if (connected_ && receiver_.send(batch)) return true;
    connected_ = receiver_.connect().has_value();
    if (connected_ && receiver_.send(batch)) return true;
    connected_ = false;
    return false;
  }

  void deliver(std::span<const ForwardedEntry> batch) {
    RetryPlan plan = receiver_.retry();
    auto delay = plan.first;
    for (int64_t failures = 0; !try_once(batch); ++failures) {
      if (plan.attempts >= 0 && failures >= plan.attempts) break;
      if (!plan.waits) queue_.set_absent(true);
      queue_.pause(delay);
      auto longer = std::chrono::milliseconds(static_cast<int64_t>(static_cast<double>(delay.count()) * plan.growth));
      delay = std::min(longer, plan.longest);
    }
    if (connected_) queue_.set_absent(false);
  }

  Receiver& receiver_;
  EntryQueue& queue_;
  bool connected_;
};

/// The driver, connected unless it may be without a server for a while.
Result<std::unique_ptr<Receiver>> open_receiver(const ForwardHello& hello, bool& connected) {
  auto receiver = TRY(make_receiver(hello));
  auto done = receiver->connect();
  connected = done.has_value();
  if (!done && receiver->must_connect() && !hello.resumed) return std::move(done).error();
  return receiver;
}

void pump(logs::ForwardReader& reader, EntryQueue& queue) {
  ForwardedEntry entry;
  for (;;) {
    auto more = reader.next(entry);
    if (!more || !*more) return;
    queue.put(std::exchange(entry, {}));
  }
}

int run(int socket) {
  logs::ForwardReader reader(socket);
  auto hello = reader.read_hello();
  if (!hello) return 1;
  bool connected = false;
  auto receiver = open_receiver(*hello, connected);
  if (!hello->resumed && !logs::send_report(socket, receiver ? "" : receiver.error().message())) return 1;
  if (!receiver) return 1;
  using WhenFull = EntryQueue::WhenFull;
  EntryQueue queue(static_cast<size_t>(std::max<int64_t>(hello->buffer_bytes, 1)),
                   hello->blocking ? WhenFull::Wait : WhenFull::Drop);
  std::promise<void> sent;
  auto done = sent.get_future();
  std::thread([&] {
    Sender(**receiver, queue, connected).run();
    sent.set_value();
  }).detach();
  pump(reader, queue);
  queue.end();
  (void)done.wait_for(kLastWords);
  ::_exit(0);  // the other thread may be in a call that never returns
}

}  // namespace

int logger_main(int argc, char** argv) {
  auto socket = argc == 2 ? parse_uint(argv[1]) : std::nullopt;
  if (!socket) {
    static constexpr std::string_view kUsage =
        "usage: sampan-logger FD\nFD is a socket; sampan-shim starts this program.\n";
    (void)!::write(STDERR_FILENO, kUsage.data(), kUsage.size());
    return 2;
  }
  // It ends with the log, and with nothing before: its container may still talk when the host asks everybody to go.
  for (int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::signal(signal, SIG_IGN);
  (void)!::chdir("/");
  return run(static_cast<int>(*socket));
}

}  // namespace sampan::logger
