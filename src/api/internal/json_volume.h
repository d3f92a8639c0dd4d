#pragma once
// api/internal/json_volume: volumes as Docker's clients read them. For .cc files only.

#include "api/internal/json_answer.h"

namespace sampan::api {

struct VolumeUsage {
  int64_t size = -1, references = -1;
};
/// Bytes below the volume's directory. Blocks: reads the whole tree.
VolumeUsage measure_volume(const volume::VolumeRecord& volume, int64_t references);
json::object format_volume(const volume::VolumeRecord& volume, const std::optional<VolumeUsage>& usage = std::nullopt);

}  // namespace sampan::api
