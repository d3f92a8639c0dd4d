// sampand: the daemon. Settings, then engine, API and server put together; the socket appears last, when everything
// that an earlier daemon left has been found again. Containers run on when it ends, however it ends.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "daemon/serve.h"
#include "daemon/start.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::daemon {
namespace {

Result<std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path.size() > 1 && path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  char* here = ::get_current_dir_name();
  if (!here) return sys::sys_error("getcwd");
  std::string out = std::string(here) + "/" + path;
  ::free(here);
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

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // the old limit only means fewer clients
}

void set_up_logging() {
  auto logger = std::make_shared<spdlog::logger>("sampand", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

Result<void> run(const CommandLine& line, Settings settings, const ServiceNotifier& notifier) {
  auto sockets = take_activated_sockets();
  settings.data_root = TRY(absolute(settings.data_root));
  settings.exec_root = TRY(absolute(settings.exec_root));
  TRY(sys::make_dirs(settings.data_root, 0700));
  TRY(sys::make_dirs(settings.exec_root, 0711));  // clients of the socket's group must come through
  TRY(set_oom_score(settings));
  auto engine = TRY_CONTEXT(engine::open_engine(TRY(engine_options(settings))), "open engine");
  engine->registry().reconfigure(registry_options(settings));
  notifier.status("finding what runs");
  TRY_CONTEXT(engine->recover(), "recover");
  if (!settings.pidfile.empty()) {
    TRY(sys::replace_file(settings.pidfile, std::to_string(::getpid()) + "\n", 0644, sys::Durable::No));
  }
  auto served = serve({*engine, line, settings, std::move(sockets), notifier});
  engine->shutdown();
  if (!settings.pidfile.empty()) (void)sys::remove_file(settings.pidfile);
  return served;
}

int report(const Error& error) {
  spdlog::critical("{}", error.message());
  return 1;
}

int main(int argc, char** argv) {
  int exit_code = 0;
  auto line = parse_command_line(argc, argv, exit_code);
  if (!line) return exit_code;
  if (line->version) {
    std::puts("sampand " SAMPAN_VERSION);
    return 0;
  }
  set_up_logging();
  auto settings = load_settings(line->flags, line->config_file, line->config_file_given);
  if (line->validate) {
    std::fprintf(stderr, "%s\n", settings ? "configuration OK" : settings.error().message().c_str());
    return settings ? 0 : 1;
  }
  if (!settings) return report(settings.error());
  set_log_level(*settings);
  use_proxies(*settings);
  limit_memory();
  raise_descriptor_limit();
  ServiceNotifier notifier;
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);  // until there is something to reload
  ::umask(022);
  if (auto done = run(*line, std::move(*settings), notifier); !done) return report(done.error());
  return 0;
}

}  // namespace
}  // namespace sampan::daemon

int main(int argc, char** argv) {
  return sampan::daemon::main(argc, argv);
}
