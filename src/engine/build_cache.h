#pragma once
// engine/build_cache: what builds left behind so that the next one is shorter: steps, each with the image it gave.
//
// A step's image is shared while a named image or a container stands on it; then forgetting the step frees nothing.
// What is not shared is there for the cache alone, and goes with its step.

#include <cstdint>
#include <string>
#include <vector>

#include "codec/text.h"
#include "engine/engine.h"

namespace sampan::engine {

struct BuildCacheEntry {
  std::string id, parent;  // of steps; parent is "" when the step stands on an image that no step gave
  std::string image_id, description;
  bool in_use = false;  // a container runs, or stopped, on it
  bool shared = false;
  int64_t size = 0;  // of its own layer
  codec::Time created, used;
  int64_t uses = 0;
};

/// Least recently used first. Steps whose images have gone are not told.
Result<std::vector<BuildCacheEntry>> list_build_cache(Engine& engine);

struct BuildCachePrune {
  bool all = false;            // shared steps are forgotten as well
  int64_t reserved_space = 0;  // bytes that may stay whatever else is asked for
  int64_t max_used_space = 0;  // bytes that stay at most; 0: not asked for
  int64_t min_free_space = 0;  // bytes that the file system is to have free; 0: not asked for
  Filters filters;             // id parent type description inuse shared private until unused-for
};
/// `deleted` are the steps' ids. The oldest go first, and no more than the sizes ask for.
/// Errors: InvalidArgument (a filter).
Result<PruneResult> prune_build_cache(Engine& engine, const BuildCachePrune& request);

}  // namespace sampan::engine
