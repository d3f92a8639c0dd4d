#pragma once
// api/internal/json_stats: one sample in the form of docker stats. Pure; for .cc files only.

#include "api/internal/json_answer.h"

namespace sampan::api {

/// `previous` null: the precpu part is zero, as in a first sample.
json::object format_stats(const container::ContainerRecord& record, const engine::StatsSample& sample,
                          const engine::StatsSample* previous);
/// What a container that does not run answers.
json::object format_stats_stub(const container::ContainerRecord& record);

}  // namespace sampan::api
