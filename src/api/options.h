#pragma once
// api/options: what the API tells about its daemon.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sampan::api {

/// The part that a reload of the configuration can change can be given again.
struct ApiOptions {
  bool debug = false;
  std::string engine_id;  // stable identity of this daemon
  std::string init_program;
  std::vector<std::string> labels;
  std::string log_driver = "json-file", default_runtime = "runc";
  std::string http_proxy, https_proxy, no_proxy;  // without passwords
  std::vector<std::string> registry_mirrors, insecure_registries;
  std::vector<std::pair<std::string, int64_t>> address_pools;  // base, size
  std::vector<std::string> generic_resources;                  // "GPU=UUID1", "SSD=3"
  bool live_restore = true;
};

}  // namespace sampan::api
