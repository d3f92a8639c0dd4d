#pragma once
// api/internal/json_container: containers as Docker's clients read them. Pure; for .cc files only.

#include <string>
#include <vector>

#include "api/internal/json_answer.h"
#include "container/record.h"

namespace sampan::api {

/// ContainerConfig as inspect shows it: which empty members are null, which are missing.
json::object container_config_object(const container::ContainerConfig& config);
json::object host_config_object(const container::HostConfig& host, Version version);
json::array format_mounts(const std::vector<container::MountPoint>& mounts);
json::object format_endpoint(const container::EndpointSettings& endpoint, Version version);

/// What inspect needs besides the record.
struct InspectFacts {
  std::string driver = "overlay2";
  std::vector<std::string> exec_ids;
  std::string upper_dir, work_dir, merged_dir;
  std::vector<std::string> lower_dirs;
  std::optional<std::pair<int64_t, int64_t>> sizes;  // writable layer, whole root
};
json::object format_inspect(const container::ContainerRecord& record, const InspectFacts& facts, Version version);

struct RowFacts {
  int64_t now_unix = 0;
  std::string image;  // name or id, as it is to be shown
  std::optional<std::pair<int64_t, int64_t>> sizes;
};
json::object format_row(const container::ContainerRecord& record, const RowFacts& facts, Version version);

}  // namespace sampan::api
