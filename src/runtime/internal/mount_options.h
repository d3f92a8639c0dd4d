#pragma once
// The option strings of an oci::Mount, sorted into what the mount interface takes apart. Pure.
// Source: runtime-spec config.md "Linux mount options"; mount(8).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"

namespace sampan::runtime::internal {

struct MountOptions {
  bool bind = false, recursive = false;             // "bind", "rbind"
  uint64_t set = 0, clear = 0;                      // attributes of this mount
  uint64_t recursive_set = 0, recursive_clear = 0;  // "rro", "rnosuid", ...: of everything below too
  uint64_t propagation = 0, recursive_propagation = 0;
  bool copy_up = false;  // "tmpcopyup"
  bool idmap = false, recursive_idmap = false;
  std::vector<std::string> flags;  // filesystem options without a value
  std::vector<std::pair<std::string, std::string>> values;
  bool read_only() const;
};

MountOptions parse_mount_options(const std::vector<std::string>& options);
/// bind by option or by type.
bool is_bind(const oci::Mount& mount, const MountOptions& options);

}  // namespace sampan::runtime::internal
