#pragma once
// build: from a Dockerfile and a context to an image: parse -> graph -> solve -> execute.
//
//   parse    text -> instructions with their lines (pure)
//   graph    instructions -> stages and steps, arguments expanded, unused stages dropped (pure)
//   solve    which steps are cached: a step's key is (parent's key, instruction after expansion, content digests of
//   what
//            it copies: path, mode, owner, link, bytes; never mtime); only steps this builder made can match
//   execute  the rest, in order, each step a container of the engine and a commit
//
// RUN steps go through the StepRunner, which the engine implements with its ordinary containers.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/io.h"
#include "base/result.h"
#include "image/image.h"
#include "registry/registry.h"
#include "store/store.h"

namespace sampan::build {

struct BuildOptions {
  std::string dockerfile = "Dockerfile";
  std::vector<std::string> tags;
  std::map<std::string, std::optional<std::string>> build_args;
  std::map<std::string, std::string> labels;
  std::string target, platform, network_mode;
  bool no_cache = false, pull = false, quiet = false, remove = true, force_remove = false, squash = false;
  std::vector<std::string> cache_from, extra_hosts;
  int64_t memory = 0, memory_swap = 0, cpu_shares = 0, cpu_period = 0, cpu_quota = 0, shm_size = 0;
  std::string cpuset_cpus, cpuset_mems, cgroup_parent;
  std::string ulimits_json;
  std::map<std::string, registry::Credentials> credentials;  // by registry host
};

/// One RUN, as a container on a writable snapshot.
struct RunStep {
  std::string image_id;  // what it runs on; "" is scratch
  std::vector<std::string> argv;
  oci::ImageConfig config;  // env with build arguments, user, workdir
  const BuildOptions* options = nullptr;
};
struct StepResult {
  std::string container_id;  // shown as "Running in"
  int exit_code = 0;
  SnapshotKey writable;  // what it left; the caller commits it, then calls release()
};

/// The engine's half of a build.
class StepRunner {
 public:
  virtual ~StepRunner() = default;
  /// Creates the step's container ("Running in <id>" is shown before it starts).
  virtual Result<std::string> create(const RunStep& step) = 0;
  /// Runs it to its end; output goes to `output` as it comes.
  virtual Result<StepResult> run(const std::string& container_id, const std::function<void(std::string_view)>& output,
                                 const Cancel& cancel) = 0;
  /// A writable snapshot on an image for COPY, ADD and WORKDIR; its root as a directory descriptor.
  virtual Result<SnapshotKey> open_writable(const std::string& image_id) = 0;
  virtual Result<sys::DirFd> root_of(const SnapshotKey& writable) = 0;
  /// A read-only view of an image's root filesystem, for COPY --from and user lookup.
  virtual Result<sys::DirFd> root_of_image(const std::string& image_id) = 0;
  virtual void release(const std::string& container_id_or_key) = 0;
  virtual Result<std::string> pull(const std::string& reference, const BuildOptions& options,
                                   const image::ProgressSink& progress, const Cancel& cancel) = 0;
};

/// Builds the image and streams Docker's classic output. Returns the image id.
/// Errors: InvalidArgument (Dockerfile, with its line), NotFound (a file of the context, a stage), the step's failure
/// ("The command '/bin/sh -c x' returned a non-zero code: 1").
Result<std::string> build_image(ByteSource& context_tar, const BuildOptions& options, image::Images& images,
                                store::Store& store, StepRunner& runner, const std::string& scratch_dir,
                                const image::ProgressSink& progress, const Cancel& cancel);

}  // namespace sampan::build
