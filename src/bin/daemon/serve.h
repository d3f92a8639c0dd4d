#pragma once
// daemon/serve: the part of sampand's life in which it answers: sockets, signals, reload, the watchdog.

#include <memory>
#include <string>
#include <vector>

#include "api/options.h"
#include "daemon/command_line.h"
#include "daemon/hosts.h"
#include "daemon/service.h"
#include "engine/engine.h"

namespace sampan::daemon {

struct Serving {
  engine::Engine& engine;
  CommandLine command_line;  // read again, with the file, at a reload
  Settings settings;
  std::vector<ActivatedSocket> sockets;
  const ServiceNotifier& notifier;
};

/// What the API tells about the daemon.
api::ApiOptions api_options(const engine::Engine& engine, const Settings& settings, const std::string& engine_id);
/// How registries are asked.
registry::ClientOptions registry_options(const Settings& settings);

/// Serves until SIGTERM or SIGINT, then lets running calls end.
Result<void> serve(Serving serving);

/// Applies debug and log-level to what the daemon tells.
void set_log_level(const Settings& settings);

}  // namespace sampan::daemon
