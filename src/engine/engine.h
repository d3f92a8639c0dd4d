#pragma once
// engine: the use cases: everything that the API, the builder and (later) the cluster can ask of this host.
//
// Transport-free. Every call blocks its thread and may be made from any; operations on one container are serial (a
// keyed queue), reads come from immutable snapshots and never wait for a container, a shim or a filesystem.
//
// The law of a container's life is container/lifecycle.h. The order of writes is always: record first, then act; what a
// crash leaves between the two is what recover() repairs. recover() runs before any other call:
//   1. store rows, snapshots, blobs, volumes are reconciled with the disk;
//   2. every shim directory is reconnected, or its exit record applied; an exit nobody recorded is 137 with an error,
//      never 0;
//   3. addresses, ports and the nft table are derived again from the containers that live;
//   4. restart policies are resumed.

#include <chrono>
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
#include "cgroup/cgroup.h"
#include "container/record.h"
#include "container/spec.h"
#include "engine/defaults.h"
#include "engine/events.h"
#include "image/image.h"
#include "logs/logs.h"
#include "network/network.h"
#include "shim/shim.h"
#include "snapshot/snapshot.h"
#include "sys/fd.h"
#include "volume/volume.h"

namespace sampan::engine {

struct EngineOptions {
  std::string data_root = "/var/lib/sampan";
  std::string exec_root = "/run/sampan";
  std::string shim_program;               // path of sampan-shim
  std::string init_program;               // path of the static init for --init, "" when missing
  std::string logger_program;             // path of sampan-logger for drivers that send away, "" when missing
  std::string cgroup_parent = "/sampan";  // distinguishes daemons on one host
  std::string instance;                   // "" for the default roots, else a short hash of them
  std::string bridge_address;
  std::set<std::string> insecure_registries;
  std::string certs_dir;  // certs.d of registries, "" for the default
  std::vector<std::string> dns;
  std::vector<std::string> cdi_spec_dirs;  // where vendors describe devices; the later one wins
  bool experimental = false;               // checkpoints are offered
  ContainerDefaults defaults;
  oci::UserMappings user_mappings;         // of every container that does not ask for the host's ids; empty: none
  std::vector<std::string> host_gateways;  // what --add-host NAME:host-gateway means; empty: the default bridge's own
  network::NetworksOptions network;        // bridge, pools and options of networks; the rest is filled in from above
};

struct Created {
  std::string id;
  std::vector<std::string> warnings;
};

using Filters = std::map<std::string, std::vector<std::string>>;

struct ListOptions {
  bool all = false;
  int64_t limit = 0;
  Filters filters;
};

struct Top {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> processes;
};

/// docker cp's view of one path; `mode` in st_mode bits (the API turns it into Go's).
struct PathStat {
  std::string name, link_target, mtime;
  int64_t size = 0;
  uint32_t mode = 0;
};

struct NetworkCounters {
  uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};
struct StatsSample {
  codec::Time read;
  cgroup::Stats cgroup;
  bool unified = false;     // counted by control groups of version 2
  uint64_t system_cpu = 0;  // nanoseconds, all CPUs, from /proc/stat
  uint32_t online_cpus = 0;
  uint64_t memory_limit = 0;  // the host's memory when the container has none
  std::map<std::string, NetworkCounters> networks;
};

struct ExecSpec {
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false, tty = false, privileged = false;
  std::string detach_keys, user, working_dir;
  std::vector<std::string> env, cmd;
};
struct ExecState {
  std::string id, container_id;
  ExecSpec spec;
  bool started = false, running = false;
  std::optional<int> exit_code;
  int64_t pid = 0;
};

enum class WaitCondition { NotRunning, NextExit, Removed };
struct WaitResult {
  int64_t status_code = 0;
  std::string error;
};

struct RemoveOptions {
  bool force = false, volumes = false;
};
struct CommitOptions {
  std::optional<oci::Reference> tag;
  std::string comment, author;
  bool pause = true;
  std::vector<std::string> changes;                  // Dockerfile instructions
  std::optional<container::ContainerConfig> config;  // what is set here wins over the container's
};
struct PruneResult {
  std::vector<std::string> deleted;
  std::vector<image::RemovedImage> images;
  uint64_t space_reclaimed = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual Result<void> recover() = 0;
  /// Orderly end: stops supervising; containers run on.
  virtual void shutdown() = 0;
  /// Stops everything that runs, each with its own signal and timeout, as the end of a daemon without live-restore
  /// does; restart policies bring back with the next daemon what they would bring back after a crash. Blocks: as long
  /// as the slowest container takes.
  virtual void stop_all() = 0;
  virtual const EngineOptions& options() const = 0;

  // --- containers -----------------------------------------------------------------------------------------------
  virtual Result<Created> create_container(const container::ContainerSpec& spec) = 0;
  /// Filters of `docker ps`. Errors: InvalidArgument "invalid filter 'x'".
  virtual Result<std::vector<container::ContainerSnapshot>> list_containers(const ListOptions& options) = 0;
  /// By id, unique prefix, or name with or without "/". Errors: NotFound "No such container: x".
  virtual Result<container::ContainerSnapshot> get_container(const std::string& name) = 0;
  /// Errors: NotModified when it runs already.
  virtual Result<void> start_container(const std::string& name) = 0;
  /// Goes on where a checkpoint has left it. `directory`: "" for the container's own.
  virtual Result<void> restore_container(const std::string& name, const std::string& checkpoint,
                                         const std::string& directory) = 0;
  /// `exit`: the container ends by it. Blocks: while its memory is written.
  virtual Result<void> create_checkpoint(const std::string& name, const std::string& checkpoint,
                                         const std::string& directory, bool exit) = 0;
  virtual Result<std::vector<std::string>> list_checkpoints(const std::string& name, const std::string& directory) = 0;
  virtual Result<void> remove_checkpoint(const std::string& name, const std::string& checkpoint,
                                         const std::string& directory) = 0;
  /// timeout: seconds, nullopt the container's own, -1 for ever. Errors: NotModified when it does not run.
  virtual Result<void> stop_container(const std::string& name, std::optional<int> timeout,
                                      const std::string& signal) = 0;
  virtual Result<void> restart_container(const std::string& name, std::optional<int> timeout,
                                         const std::string& signal) = 0;
  virtual Result<void> kill_container(const std::string& name, const std::string& signal) = 0;
  virtual Result<void> pause_container(const std::string& name) = 0;
  virtual Result<void> unpause_container(const std::string& name) = 0;
  virtual Result<void> rename_container(const std::string& name, const std::string& new_name) = 0;
  virtual Result<std::vector<std::string>> update_container(const std::string& name, const std::string& body_json) = 0;
  virtual Result<void> resize_container(const std::string& name, uint16_t rows, uint16_t columns) = 0;
  virtual Result<void> remove_container(const std::string& name, const RemoveOptions& options) = 0;
  /// "/parent/alias": a legacy link of the container "parent". Errors: NotFound; Conflict (a container's own name).
  virtual Result<void> remove_link(const std::string& name) = 0;
  virtual Result<PruneResult> prune_containers(const Filters& filters) = 0;
  virtual Result<Top> top_container(const std::string& name, const std::string& ps_args) = 0;
  virtual Result<std::vector<snapshot::Change>> container_changes(const std::string& name) = 0;
  /// Of a container that does not run, `read` is zero and nothing else means anything.
  virtual Result<StatsSample> sample_stats(const std::string& name) = 0;
  virtual Result<PathStat> stat_path(const std::string& name, const std::string& path) = 0;
  virtual Result<void> copy_from(const std::string& name, const std::string& path, ByteSink& tar,
                                 const Cancel& cancel) = 0;
  virtual Result<void> copy_to(const std::string& name, const std::string& path, ByteSource& tar,
                               bool no_overwrite_dir_non_dir, bool copy_uid_gid, const Cancel& cancel) = 0;
  virtual Result<void> export_container(const std::string& name, ByteSink& tar, const Cancel& cancel) = 0;
  /// Size of the writable layer, and with the image below it.
  virtual Result<std::pair<int64_t, int64_t>> container_size(const std::string& name) = 0;
  virtual Result<std::string> commit_container(const std::string& name, const CommitOptions& options) = 0;

  /// Hands the client's connection to the container's shim. Not running: Conflict. On error the connection comes back
  /// to the caller through `client`.
  virtual Result<void> attach_container(const std::string& name, sys::Fd& client,
                                        const shim::AttachOptions& options) = 0;
  /// Clients that attached before start are kept and wired when it starts.
  virtual Result<std::unique_ptr<logs::Reader>> open_logs(const std::string& name,
                                                          const logs::ReadOptions& options) = 0;

  /// Calls `done` once (from any thread, must not block) when the condition holds; dropping the handle cancels.
  /// The condition is armed when this returns.
  virtual Result<std::shared_ptr<void>> wait_container(const std::string& name, WaitCondition condition,
                                                       std::function<void(WaitResult)> done) = 0;
  /// Calls `changed` (from any thread, must not block) whenever any container's record changed.
  virtual std::shared_ptr<void> watch_containers(std::function<void(const std::string& id)> changed) = 0;

  // --- exec -----------------------------------------------------------------------------------------------------
  virtual Result<std::string> create_exec(const std::string& name, const ExecSpec& spec) = 0;
  virtual Result<ExecState> get_exec(const std::string& id) = 0;
  /// The client's connection is used up; when the start fails nothing has been written to it. The exit code of an exec
  /// is known before its client sees the end of the stream, and is kept for five minutes.
  virtual Result<void> start_exec(const std::string& id, bool detach, std::optional<sys::Fd> client,
                                  const shim::AttachOptions& options,
                                  std::optional<std::pair<uint16_t, uint16_t>> console_size) = 0;
  virtual Result<void> resize_exec(const std::string& id, uint16_t rows, uint16_t columns) = 0;
  virtual std::vector<std::string> execs_of(const std::string& container_id) = 0;

  // --- images, networks, volumes, events --------------------------------------------------------------------------
  virtual image::Images& images() = 0;
  virtual registry::Client& registry() = 0;
  /// pull/tag/remove/load/... with their events; list and get go to images() directly.
  virtual Result<void> pull_image(const oci::Reference& reference, const std::optional<oci::Platform>& platform,
                                  const registry::Credentials& credentials, const image::ProgressSink& progress,
                                  const Cancel& cancel) = 0;
  virtual Result<void> tag_image(const std::string& name, const oci::Reference& target) = 0;
  virtual Result<std::vector<image::RemovedImage>> remove_image(const std::string& name, image::Force force,
                                                                bool no_prune) = 0;
  virtual Result<PruneResult> prune_images(const Filters& filters) = 0;
  virtual Result<std::vector<std::string>> load_images(ByteSource& archive, const image::ProgressSink& progress,
                                                       const Cancel& cancel) = 0;

  virtual network::Networks& networks() = 0;
  virtual Result<network::NetworkRecord> create_network(const network::CreateNetwork& request) = 0;
  virtual Result<void> remove_network(const std::string& name) = 0;
  virtual Result<void> connect_network(const std::string& network, const std::string& container,
                                       const container::EndpointSettings& settings) = 0;
  virtual Result<void> disconnect_network(const std::string& network, const std::string& container, bool force) = 0;

  virtual volume::Volumes& volumes() = 0;
  virtual Result<void> remove_volume(const std::string& name, bool force) = 0;
  virtual Result<PruneResult> prune_volumes(const Filters& filters) = 0;
  /// Ids of the containers (any state) that use a volume, image id or network id.
  virtual std::vector<std::string> users_of_volume(const std::string& name) = 0;
  virtual std::vector<std::string> users_of_image(const std::string& image_id) = 0;

  virtual EventLog& events() = 0;
  virtual store::Store& store() = 0;
  virtual snapshot::Snapshots& snapshots() = 0;
};

/// Opens everything below the roots; fails without side effects when another daemon holds them (a lock file).
Result<std::unique_ptr<Engine>> open_engine(EngineOptions options);

}  // namespace sampan::engine
