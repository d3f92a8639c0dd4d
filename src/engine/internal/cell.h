#pragma once
// engine/internal/cell: the live side of one container: what a daemon holds and a restarted one finds again.

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/internal/loop.h"
#include "network/network.h"
#include "shim/shim.h"

namespace sampan::engine {

/// A client that attached before the container was started.
struct PendingClient {
  sys::Fd fd;
  shim::AttachOptions options;
};

struct Cell {
  explicit Cell(std::string container_id) : id(std::move(container_id)) {}
  const std::string id;

  /// Held by whoever changes the container, for the length of one operation; readers never take it.
  std::mutex operation;

  // Guarded by `operation`.
  std::vector<network::Endpoint> endpoints;
  sys::Fd netlink;  // inside the container's network namespace
  Loop::Token restart_timer = 0;
  uint64_t killed_generation = 0;  // the run that SIGKILL was sent to: what remains of it is not paused
  bool user_restart = false;       // `restart` is between its two halves: no auto-remove, no policy

  // Guarded by `live`, which is only held for moments.
  std::mutex live;
  std::shared_ptr<shim::ShimConnection> shim;
  std::vector<PendingClient> pending;

  std::shared_ptr<shim::ShimConnection> connection() {
    std::lock_guard lock(live);
    return shim;
  }
};
using CellPtr = std::shared_ptr<Cell>;

}  // namespace sampan::engine
