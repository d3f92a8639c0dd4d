#pragma once
// The execution of a stage graph: one step after another, each an image; cached steps are only looked up.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "build/build.h"
#include "build/internal/cache.h"
#include "build/internal/expand.h"
#include "build/internal/stages.h"
#include "build/internal/tree.h"

namespace sampan::build {

/// What a whole build shares.
struct BuildContext {
  const BuildOptions& options;
  image::Images& images;
  StepRunner& runner;
  StepCache& cache;
  const image::ProgressSink& progress;
  const Cancel& cancel;
  char escape = '\\';
  int context_root = -1;
  IgnoreRules ignore;
  std::set<std::string> used_args;  // build arguments that some ARG consumed
  int step_number = 0;

  void say(std::string text) const { progress({.stream = std::move(text)}); }
};

/// One stage on its way.
struct StageState {
  std::string image_id;  // "" is scratch before the first step
  oci::ImageConfig config;
  std::map<std::string, std::string> args;  // declared and set, in scope
  std::vector<std::string> arg_order;
  bool cache_broken = false;  // after the first miss everything is done again
};

class Executor {
 public:
  Executor(BuildContext& context, const StageGraph& graph) : context_(context), graph_(graph) {}
  /// Returns the target's image id.
  Result<std::string> run();

 private:
  Result<void> run_stage(size_t index);
  Result<void> begin_stage(const Stage& stage, StageState& state);
  Result<void> run_triggers(StageState& state, size_t index);
  Result<void> dispatch(const Instruction& step, StageState& state, size_t index);

  // One per instruction.
  Result<void> do_run(const Instruction& step, StageState& state);
  Result<void> do_copy(const Instruction& step, StageState& state, size_t index);
  Result<void> do_workdir(const Instruction& step, StageState& state);
  Result<void> do_arg(const Instruction& step, StageState& state);
  Result<void> do_config(const Instruction& step, StageState& state);

  /// Answers from the cache (true: state.image_id is set) unless the cache is off or broken.
  Result<bool> try_cache(const std::string& key, StageState& state);
  Result<void> commit(StageState& state, std::optional<SnapshotKey> writable, const std::string& created_by,
                      const std::string& key);
  Lookup lookup(const StageState& state) const;

  struct CopySource {
    Tree tree;
    sys::DirFd owned;
    std::string identity;  // what the cache key says about an image or stage source
  };
  Result<CopySource> copy_source(const Instruction& step, size_t index);
  /// One COPY or ADD, everything found and expanded.
  struct CopyPlan {
    std::optional<uint32_t> mode;
    std::optional<std::string> chown;
    std::vector<std::string> files;
    std::vector<std::pair<std::string, std::string>> documents;  // heredocs: name, content
    std::string where, shown;                                    // the destination; the line for history and the key
    bool into_directory = false;
  };
  Result<CopyPlan> plan_copy(const Instruction& step, const StageState& state, const CopySource& source);
  Result<void> apply_copy(const CopyPlan& plan, const CopySource& source, bool unpack, int root);

  BuildContext& context_;
  const StageGraph& graph_;
  std::map<size_t, std::string> results_;  // stage -> image id
};

/// Applies an instruction that only changes the configuration (CMD, ENV, EXPOSE, ...). Pure but for the lookup.
/// Returns the text for history. Errors: InvalidArgument naming the instruction.
Result<std::string> apply_config(const Instruction& step, char escape, const Lookup& lookup, oci::ImageConfig& config);

}  // namespace sampan::build
