#pragma once
// engine/defaults: what a container gets when its creator does not say: the daemon's configuration of them.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "container/spec.h"

namespace sampan::engine {

struct ContainerDefaults {
  container::LogConfig log;  // options only go with this driver
  std::vector<container::Ulimit> ulimits;
  int64_t shm_size = 0;                                // 0: the built-in
  std::string ipc_mode, cgroupns_mode, cgroup_parent;  // "": the built-in
  std::string network_mode;                            // "": the default bridge
  std::string seccomp;                                 // "", "unconfined", or the text of a profile
  bool init = false, no_new_privileges = false;
  std::vector<std::string> dns_options, dns_search;
};

/// Fills in what `spec` leaves open. What it says itself is never changed, nor is what a privileged container is free
/// of.
void apply_defaults(const ContainerDefaults& defaults, container::ContainerSpec& spec);

}  // namespace sampan::engine
