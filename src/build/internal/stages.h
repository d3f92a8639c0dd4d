#pragma once
// Instructions to stages: global arguments, stage names, the target, and which stages are needed at all. Pure.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "build/internal/dockerfile.h"

namespace sampan::build {

struct Stage {
  std::string name;  // lower case, "" without AS
  std::string base;  // expanded; an image reference, "scratch" or an earlier stage's name
  std::optional<size_t> base_stage;
  std::string platform;
  Instruction from;
  std::vector<Instruction> steps;  // without FROM
  std::vector<size_t> needs;       // stages that FROM or COPY --from refer to
};

struct StageGraph {
  std::vector<Stage> stages;
  size_t target = 0;
  std::vector<size_t> order;                       // the needed ones, ascending, the target last
  std::map<std::string, std::string> global_args;  // declared before FROM, with their values
  int total_steps = 0;                             // of the stages in `order`, FROMs included
};

/// Errors: InvalidArgument (no FROM, duplicate or bad stage name), NotFound (`target stage "x" could not be found`).
Result<StageGraph> make_graph(const Dockerfile& file,
                              const std::map<std::string, std::optional<std::string>>& build_args,
                              const std::string& target);
/// The stage that a name or number refers to, seen from stage `from`.
std::optional<size_t> find_stage(const StageGraph& graph, const std::string& name, size_t from);
/// TARGETOS, BUILDPLATFORM and their like.
std::map<std::string, std::string> platform_args(const std::string& target_platform);

}  // namespace sampan::build
