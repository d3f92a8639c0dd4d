// sampand: the daemon. Options, then engine, API and server put together; the socket appears last, when everything that
// an earlier daemon left has been found again. Containers run on when it ends, however it ends.
#include <grp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <condition_variable>
#include <cstdio>
#include <thread>

#include "api/api.h"
#include "base/strings.h"
#include "codec/sha256.h"
#include "codec/text.h"
#include "engine/engine.h"
#include "http/http.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan {
namespace {

constexpr const char* kDefaultDataRoot = "/var/lib/sampan";
constexpr const char* kDefaultExecRoot = "/run/sampan";
constexpr std::chrono::seconds kDrainTime(10);

struct Options {
  std::vector<std::string> hosts, insecure_registries, dns;
  std::string data_root = kDefaultDataRoot, exec_root = kDefaultExecRoot;
  std::string pidfile, bip, group, init_path, shim, certs_dir, log_level = "info";
  bool debug = false, version = false;
};

void add_options(CLI::App& app, Options& o) {
  app.set_help_flag("--help", "Print usage");
  app.add_option("-H,--host", o.hosts, "Socket to listen on, unix://PATH (repeatable)")->allow_extra_args(false);
  app.add_option("--data-root", o.data_root, "Directory of everything that persists")->capture_default_str();
  app.add_option("--exec-root", o.exec_root, "Directory of runtime state")->capture_default_str();
  app.add_option("-p,--pidfile", o.pidfile, "File for the daemon's process id");
  app.add_option("--bip", o.bip, "Address and mask of the default bridge, CIDR");
  app.add_option("--certs-dir", o.certs_dir, "Certificates of registries: DIR/HOST/{ca.crt,client.cert,client.key}");
  app.add_option("--insecure-registry", o.insecure_registries, "Registry without TLS (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--dns", o.dns, "DNS server for containers (repeatable)")->allow_extra_args(false);
  app.add_flag("-D,--debug", o.debug, "Debug messages");
  app.add_option("-l,--log-level", o.log_level, "debug, info, warn, error or fatal")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "fatal"}))
      ->capture_default_str();
  app.add_option("-G,--group", o.group, "Group of the unix socket");
  app.add_option("--init-path", o.init_path,
                 "Program that --init runs as process 1 (default: sampan-init beside this one)");
  app.add_option("--shim", o.shim, "Path of sampan-shim (default: beside this program)");
  app.add_flag("-v,--version", o.version, "Print the version");
}

std::string program_directory() {
  auto self = sys::read_link("/proc/self/exe");
  if (!self) return "";
  return self->substr(0, self->rfind('/'));
}

Result<std::vector<std::string>> socket_paths(const Options& options) {
  std::vector<std::string> out;
  for (const auto& host : options.hosts) {
    if (host.starts_with("unix://") && host.size() > 7) {
      out.push_back(host.substr(7));
    } else if (host.starts_with("tcp://")) {
      return fail(Code::NotImplemented,
                  "-H {}: TCP would need TLS with client certificates, which is not implemented; "
                  "use unix://, and ssh from other hosts",
                  host);
    } else {
      return fail(Code::InvalidArgument, "-H {}: must be unix://PATH", host);
    }
  }
  if (out.empty()) out.push_back(options.exec_root + "/sampan.sock");
  return out;
}

/// "" for the daemon with the default roots; others on the host get names of their own for links, tables and cgroups.
std::string instance_name(const Options& options) {
  if (options.data_root == kDefaultDataRoot && options.exec_root == kDefaultExecRoot) return "";
  return codec::sha256_hex(options.exec_root).substr(0, 6);
}

Result<std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  char* here = ::get_current_dir_name();
  if (!here) return sys::sys_error("getcwd");
  std::string out = std::string(here) + "/" + path;
  ::free(here);
  return out;
}

Result<engine::EngineOptions> engine_options(const Options& options) {
  engine::EngineOptions out;
  out.data_root = options.data_root;
  out.exec_root = options.exec_root;
  std::string directory = program_directory();
  out.shim_program = options.shim.empty() ? directory + "/sampan-shim" : options.shim;
  if (::access(out.shim_program.c_str(), X_OK) != 0) return sys::sys_error("find sampan-shim", out.shim_program);
  out.init_program = options.init_path;
  if (out.init_program.empty() && sys::path_exists(directory + "/sampan-init"))
    out.init_program = directory + "/sampan-init";
  out.instance = instance_name(options);
  out.cgroup_parent = out.instance.empty() ? "/sampan" : "/sampan-" + out.instance;
  out.bridge_address = options.bip;
  out.certs_dir = options.certs_dir;
  out.insecure_registries.insert(options.insecure_registries.begin(), options.insecure_registries.end());
  out.dns = options.dns;
  return out;
}

// Memory is a product number: few malloc arenas, returned early, and stacks too small for a huge page each.
void limit_memory() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  mallopt(M_TRIM_THRESHOLD, 128 << 10);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 20);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
}

/// After a crowd of clients the heap is full of holes; they go back to the kernel once there are enough of them.
void trim_memory_regularly(async::asio::steady_timer& timer) {
  constexpr size_t kWorthwhile = 2 << 20;
  timer.expires_after(std::chrono::seconds(10));
  timer.async_wait([&timer](boost::system::error_code error) {
    if (error) return;
    if (mallinfo2().fordblks > kWorthwhile) malloc_trim(0);
    trim_memory_regularly(timer);
  });
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // the old limit only means fewer clients
}

void set_up_logging(const Options& options) {
  auto logger = std::make_shared<spdlog::logger>("sampand", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  std::string level = options.log_level == "fatal" ? "critical" : options.log_level;
  logger->set_level(options.debug ? spdlog::level::debug : spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

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

/// Ends the process when an orderly end takes too long: containers do not depend on it.
class DrainLimit {
 public:
  DrainLimit() : thread_([this] { wait(); }) {}
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
    if (wake_.wait_for(lock, kDrainTime, [this] { return done_; })) return;
    spdlog::warn("calls did not end in {} s: leaving them", kDrainTime.count());
    ::_exit(0);
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

/// Serves until SIGTERM or SIGINT, then lets running calls end.
Result<void> serve(engine::Engine& engine, const Options& options, const std::vector<std::string>& sockets) {
  async::asio::io_context loop(1);
  api::ApiOptions api_options;
  api_options.debug = options.debug;
  api_options.engine_id = TRY(ensure_engine_id(options.data_root));
  api_options.init_program = engine.options().init_program;
  auto api = api::make_api(engine, loop, api_options);
  auto server = http::make_server(loop, api->handler());
  for (const auto& path : sockets) {
    TRY(server->listen_unix(path));
    TRY(give_to_group(path, options.group));
    spdlog::info("API listens on {}", path);
  }
  async::asio::steady_timer trimmer(loop);
  trim_memory_regularly(trimmer);
  async::asio::signal_set signals(loop, SIGTERM, SIGINT);
  std::thread stopper;
  signals.async_wait([&](boost::system::error_code error, int signal) {
    if (error) return;
    spdlog::info("signal {}: shutting down; containers run on", signal);
    // The loop must go on while calls end: they answer through it.
    stopper = std::thread([&] {
      DrainLimit limit;
      server->stop();
      api->drain();
      loop.stop();
    });
  });
  loop.run();
  if (stopper.joinable()) stopper.join();
  for (const auto& path : sockets) (void)sys::remove_file(path);
  return {};
}

Result<void> run(Options& options) {
  options.data_root = TRY(absolute(options.data_root));
  options.exec_root = TRY(absolute(options.exec_root));
  auto sockets = TRY(socket_paths(options));
  TRY(sys::make_dirs(options.data_root, 0700));
  TRY(sys::make_dirs(options.exec_root, 0711));  // clients of the socket's group must come through
  auto engine = TRY_CONTEXT(engine::open_engine(TRY(engine_options(options))), "open engine");
  TRY_CONTEXT(engine->recover(), "recover");
  if (!options.pidfile.empty()) {
    TRY(sys::replace_file(options.pidfile, std::to_string(::getpid()) + "\n", 0644, sys::Durable::No));
  }
  auto served = serve(*engine, options, sockets);
  engine->shutdown();
  if (!options.pidfile.empty()) (void)sys::remove_file(options.pidfile);
  return served;
}

}  // namespace
}  // namespace sampan

int main(int argc, char** argv) {
  using namespace sampan;
  CLI::App app("sampand: the daemon of the Sampan container engine", "sampand");
  Options options;
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (options.version) {
    std::puts("sampand " SAMPAN_VERSION);
    return 0;
  }
  limit_memory();
  raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::umask(022);
  set_up_logging(options);
  if (auto done = run(options); !done) {
    spdlog::critical("{}", done.error().message());
    return 1;
  }
  return 0;
}
