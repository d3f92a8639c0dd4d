#include "daemon/serve.h"

#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <spdlog/spdlog.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "api/api.h"
#include "base/strings.h"
#include "http/http.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::daemon {

namespace {

/// A stable identity for /info, made at the first start.
Result<std::string> ensure_engine_id(const std::string& data_root) {
  std::string path = data_root + "/engine-id";
  if (auto known = sys::read_file(path, 128); known && !trim(*known).empty()) return std::string(trim(*known));
  std::string id(trim(TRY(sys::read_file("/proc/sys/kernel/random/uuid", 128))));
  TRY(sys::replace_file(path, id + "\n"));
  return id;
}

Result<void> give_to_group(const std::string& path, const std::string& name) {
  if (name.empty()) return {};
  group entry{}, *found = nullptr;
  std::string buffer(16 << 10, '\0');
  auto number = parse_uint(name);
  gid_t gid = static_cast<gid_t>(number.value_or(0));
  if (!number) {
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
      return fail(Code::NotFound, "group \"{}\" does not exist", name);
    }
    gid = found->gr_gid;
  }
  if (::lchown(path.c_str(), static_cast<uid_t>(-1), gid) < 0) return sys::sys_error("chown", path);
  return {};
}

bool is_tcp(const sys::Fd& socket) {
  int family = 0;
  socklen_t size = sizeof(family);
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family != AF_UNIX;
}

/// Ends the process when an orderly end takes too long: containers do not depend on it.
class DrainLimit {
 public:
  explicit DrainLimit(std::chrono::seconds time) : time_(time), thread_([this] { wait(); }) {}
  ~DrainLimit() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, time_, [this] { return done_; })) return;
    spdlog::warn("calls did not end in {} s: leaving them", time_.count());
    ::_exit(0);
  }
  std::chrono::seconds time_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

/// Calls `work` again and again while the loop runs.
class Repeat {
 public:
  Repeat(async::asio::io_context& loop, std::chrono::microseconds period, std::function<void()> work)
      : timer_(loop), period_(period), work_(std::move(work)) {
    arm();
  }

 private:
  void arm() {
    timer_.expires_after(period_);
    timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      work_();
      arm();
    });
  }
  async::asio::steady_timer timer_;
  std::chrono::microseconds period_;
  std::function<void()> work_;
};

/// After a crowd of clients the heap is full of holes; they go back to the kernel once there are enough of them.
void trim_memory() {
  constexpr size_t kWorthwhile = 2 << 20;
  if (mallinfo2().fordblks > kWorthwhile) malloc_trim(0);
}

// Asio's reactor keeps the state of every descriptor that it ever watched, a small allocation each. Made one by one
// among the large ones of a crowd of clients, they would hold ten megabytes of pages for good; made now, they are
// dense.
void reserve_descriptors(async::asio::io_context& loop) {
  constexpr size_t kCrowd = 2048;
  sys::Fd model(::eventfd(0, EFD_CLOEXEC));
  std::vector<async::asio::posix::stream_descriptor> watched;
  watched.reserve(kCrowd);
  while (model.valid() && watched.size() < kCrowd) {
    sys::Fd copy(::fcntl(model.get(), F_DUPFD_CLOEXEC, 0));
    boost::system::error_code error;
    auto& entry = watched.emplace_back(loop);
    if (copy.valid()) entry.assign(copy.get(), error);
    if (!copy.valid() || error) break;  // few descriptors: few clients, too
    (void)copy.release();
  }
}

class Front {
 public:
  explicit Front(Serving serving) : s_(std::move(serving)), signals_(loop_, SIGTERM, SIGINT, SIGHUP) {}

  Result<void> open() {
    reserve_descriptors(loop_);
    engine_id_ = TRY(ensure_engine_id(s_.settings.data_root));
    api_ = api::make_api(s_.engine, loop_, api_options(s_.engine, s_.settings, engine_id_));
    server_ = http::make_server(loop_, api_->handler());
    if (s_.settings.tlsverify) {
      tls_ = TRY(http::open_tls({s_.settings.tlscacert, s_.settings.tlscert, s_.settings.tlskey}));
    }
    std::vector<std::string> hosts = s_.settings.hosts;
    if (hosts.empty()) hosts.push_back("unix://" + s_.settings.exec_root + "/sampan.sock");
    for (const auto& text : hosts) TRY(listen(TRY(parse_host(text))));
    return {};
  }

  void run() {
    Repeat trim(loop_, std::chrono::seconds(10), trim_memory);
    std::optional<Repeat> watchdog;
    if (auto period = s_.notifier.watchdog()) watchdog.emplace(loop_, *period, [this] { s_.notifier.alive(); });
    wait_for_signal();
    s_.notifier.ready();
    loop_.run();
    if (stopper_.joinable()) stopper_.join();
    for (const auto& path : paths_) (void)sys::remove_file(path);
  }

 private:
  Result<void> listen(const Host& host) {
    if (host.kind == Host::Kind::Unix) {
      TRY(server_->listen_unix(host.place));
      paths_.push_back(host.place);
      TRY(give_to_group(host.place, s_.settings.group));
      spdlog::info("API listens on {}", host.place);
    } else if (host.kind == Host::Kind::Tcp) {
      auto port = TRY(server_->listen_tcp(host.place, host.port, tls_));
      spdlog::info("API listens on {}:{}, for clients with certificates", host.place, port);
    } else {
      for (auto& passed : TRY(choose_sockets(s_.sockets, host.place))) TRY(listen_passed(std::move(passed)));
    }
    return {};
  }

  Result<void> listen_passed(ActivatedSocket passed) {
    bool tcp = is_tcp(passed.socket);
    if (tcp && !tls_) {
      return fail(Code::InvalidArgument, "socket {} \"{}\" is a TCP socket: give --tlsverify, as for -H tcp://",
                  passed.number, passed.name);
    }
    TRY(server_->listen_fd(std::move(passed.socket), tcp ? tls_ : nullptr));
    spdlog::info("API listens on socket {} \"{}\"", passed.number, passed.name);
    return {};
  }

  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        reload();
        wait_for_signal();
      } else {
        spdlog::info("signal {}: shutting down; containers {}", signal,
                     s_.settings.live_restore ? "run on" : "are stopped");
        stop();
      }
    });
  }

  // The loop must go on while calls end: they answer through it.
  void stop() {
    s_.notifier.stopping();
    stopper_ = std::thread([this] {
      std::optional<DrainLimit> limit;
      if (auto time = shutdown_time()) limit.emplace(*time);
      if (!s_.settings.live_restore) s_.engine.stop_all();
      server_->stop();
      api_->drain();
      loop_.stop();
    });
  }

  /// Docker's rule: no container is cut short in its own time to stop. nullopt: for ever.
  std::optional<std::chrono::seconds> shutdown_time() {
    std::chrono::seconds out(s_.settings.shutdown_timeout);
    if (out.count() < 0) return std::nullopt;
    if (s_.settings.live_restore) return out;
    constexpr int64_t kDefaultStopTimeout = 10, kGrace = 5;
    for (const auto& record : s_.engine.list_containers({}).value_or({})) {
      int64_t own = record->config.stop_timeout.value_or(kDefaultStopTimeout);
      if (own < 0) return std::nullopt;
      out = std::max(out, std::chrono::seconds(own + kGrace));
    }
    return out;
  }

  // Nothing changes before everything that is new has been found to be right.
  void reload() {
    s_.notifier.reloading();
    if (auto done = try_reload(); !done) {
      spdlog::error("the configuration stays as it was: {}", done.error().message());
    }
    s_.notifier.ready();
  }

  Result<void> try_reload() {
    const auto& line = s_.command_line;
    auto wanted = TRY(load_settings(line.flags, line.config_file, line.config_file_given));
    if (tls_) TRY(tls_->reload());
    s_.settings = apply_reload(s_.settings, wanted);
    set_log_level(s_.settings);
    s_.engine.registry().reconfigure(registry_options(s_.settings));
    api_->reconfigure(api_options(s_.engine, s_.settings, engine_id_));
    auto attributes = reload_attributes(s_.settings);
    std::string words;
    for (const auto& [key, value] : attributes) words += fmt::format(" {}={}", key, value);
    spdlog::info("configuration reloaded:{}", words);
    tell_reload(std::move(attributes));
    return {};
  }

  void tell_reload(std::map<std::string, std::string> attributes) {
    engine::Event event;
    event.type = "daemon";
    event.action = "reload";
    event.actor_id = engine_id_;
    char name[256] = "";
    if (::gethostname(name, sizeof(name) - 1) == 0) attributes["name"] = name;
    event.attributes = std::move(attributes);
    auto now = std::chrono::system_clock::now().time_since_epoch();
    event.time = {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
    (void)s_.engine.events().append(std::move(event));  // it has happened, whether it can be written down or not
  }

  Serving s_;
  async::asio::io_context loop_{1};
  async::asio::signal_set signals_;
  std::string engine_id_;
  std::unique_ptr<api::Api> api_;
  std::shared_ptr<http::TlsIdentity> tls_;
  std::unique_ptr<http::Server> server_;
  std::vector<std::string> paths_;  // sockets of ours, to be removed
  std::thread stopper_;
};

}  // namespace

Result<void> serve(Serving serving) {
  Front front(std::move(serving));
  TRY(front.open());
  front.run();
  return {};
}

}  // namespace sampan::daemon
