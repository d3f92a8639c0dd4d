#pragma once
// engine/internal/core: the one Engine. This header is the list of its parts; the use cases are in the .cc files of
// engine/, one per verb, and each reads as record first, then act, then tell.

#include <condition_variable>

#include "container/lifecycle.h"
#include "container/plan.h"
#include "engine/engine.h"
#include "engine/internal/containers.h"
#include "engine/internal/execs.h"
#include "engine/internal/host.h"
#include "engine/internal/loop.h"
#include "engine/internal/waiters.h"
#include "engine/internal/workers.h"
#include "shim/shim.h"

namespace sampan::engine {

using Attributes = std::map<std::string, std::string>;
struct StartAttempt;  // start.cc: what one start has made so far

class Core final : public Engine {
 public:
  static Result<std::unique_ptr<Core>> open(EngineOptions options);
  ~Core() override;

  Result<void> recover() override;
  void shutdown() override;
  void stop_all() override;
  void leave_host();
  const EngineOptions& options() const override { return options_; }

  Result<Created> create_container(const container::ContainerSpec& spec) override;
  Result<std::vector<ContainerSnapshot>> list_containers(const ListOptions& options) override;
  Result<ContainerSnapshot> get_container(const std::string& name) override;
  Result<void> start_container(const std::string& name) override;
  Result<void> restore_container(const std::string& name, const std::string& checkpoint,
                                 const std::string& directory) override;
  Result<void> create_checkpoint(const std::string& name, const std::string& checkpoint, const std::string& directory,
                                 bool exit) override;
  Result<std::vector<std::string>> list_checkpoints(const std::string& name, const std::string& directory) override;
  Result<void> remove_checkpoint(const std::string& name, const std::string& checkpoint,
                                 const std::string& directory) override;
  Result<void> stop_container(const std::string& name, std::optional<int> timeout, const std::string& signal) override;
  Result<void> restart_container(const std::string& name, std::optional<int> timeout,
                                 const std::string& signal) override;
  Result<void> kill_container(const std::string& name, const std::string& signal) override;
  Result<void> pause_container(const std::string& name) override;
  Result<void> unpause_container(const std::string& name) override;
  Result<void> rename_container(const std::string& name, const std::string& new_name) override;
  Result<std::vector<std::string>> update_container(const std::string& name, const std::string& body_json) override;
  Result<void> resize_container(const std::string& name, uint16_t rows, uint16_t columns) override;
  Result<void> remove_container(const std::string& name, const RemoveOptions& options) override;
  Result<void> remove_link(const std::string& name) override;
  Result<PruneResult> prune_containers(const Filters& filters) override;
  Result<Top> top_container(const std::string& name, const std::string& ps_args) override;
  Result<std::vector<snapshot::Change>> container_changes(const std::string& name) override;
  Result<StatsSample> sample_stats(const std::string& name) override;
  Result<PathStat> stat_path(const std::string& name, const std::string& path) override;
  Result<void> copy_from(const std::string& name, const std::string& path, ByteSink& tar,
                         const Cancel& cancel) override;
  Result<void> copy_to(const std::string& name, const std::string& path, ByteSource& tar, bool no_overwrite_dir_non_dir,
                       bool copy_uid_gid, const Cancel& cancel) override;
  Result<void> export_container(const std::string& name, ByteSink& tar, const Cancel& cancel) override;
  Result<std::pair<int64_t, int64_t>> container_size(const std::string& name) override;
  Result<std::string> commit_container(const std::string& name, const CommitOptions& options) override;
  Result<void> attach_container(const std::string& name, sys::Fd& client, const shim::AttachOptions& options) override;
  Result<std::unique_ptr<logs::Reader>> open_logs(const std::string& name, const logs::ReadOptions& options) override;
  Result<std::shared_ptr<void>> wait_container(const std::string& name, WaitCondition condition,
                                               std::function<void(WaitResult)> done) override;
  std::shared_ptr<void> watch_containers(std::function<void(const std::string& id)> changed) override;

  Result<std::string> create_exec(const std::string& name, const ExecSpec& spec) override;
  Result<ExecState> get_exec(const std::string& id) override;
  Result<void> start_exec(const std::string& id, bool detach, std::optional<sys::Fd> client,
                          const shim::AttachOptions& options,
                          std::optional<std::pair<uint16_t, uint16_t>> console_size) override;
  Result<void> resize_exec(const std::string& id, uint16_t rows, uint16_t columns) override;
  std::vector<std::string> execs_of(const std::string& container_id) override { return execs_.of(container_id); }

  image::Images& images() override { return *images_; }
  registry::Client& registry() override { return *registry_; }
  Result<void> pull_image(const oci::Reference& reference, const std::optional<oci::Platform>& platform,
                          const registry::Credentials& credentials, const image::ProgressSink& progress,
                          const Cancel& cancel) override;
  Result<void> tag_image(const std::string& name, const oci::Reference& target) override;
  Result<std::vector<image::RemovedImage>> remove_image(const std::string& name, image::Force force,
                                                        bool no_prune) override;
  Result<PruneResult> prune_images(const Filters& filters) override;
  Result<std::vector<std::string>> load_images(ByteSource& archive, const image::ProgressSink& progress,
                                               const Cancel& cancel) override;

  network::Networks& networks() override;
  Result<network::NetworkRecord> create_network(const network::CreateNetwork& request) override;
  Result<void> remove_network(const std::string& name) override;
  Result<void> connect_network(const std::string& network, const std::string& container,
                               const container::EndpointSettings& settings) override;
  Result<void> disconnect_network(const std::string& network, const std::string& container, bool force) override;

  volume::Volumes& volumes() override { return *volumes_; }
  Result<void> remove_volume(const std::string& name, bool force) override;
  Result<PruneResult> prune_volumes(const Filters& filters) override;
  std::vector<std::string> users_of_volume(const std::string& name) override;
  std::vector<std::string> users_of_image(const std::string& image_id) override;

  EventLog& events() override { return *events_; }
  store::Store& store() override { return *store_; }
  snapshot::Snapshots& snapshots() override { return *snapshots_; }

 private:
  friend struct StartAttempt;
  explicit Core(EngineOptions options) : options_(std::move(options)), workers_(32) {}

  // --- where things are (engine.cc)
  std::string container_dir(const std::string& id) const { return options_.data_root + "/containers/" + id; }
  std::string shim_dir(const std::string& id) const { return options_.exec_root + "/shim/" + id; }
  std::string cgroup_path(const ContainerRecord& record) const;
  cgroup::Cgroup cgroup_of(const ContainerRecord& record) const;

  // --- records and events (engine.cc)
  Event container_event(const ContainerRecord& record, std::string action, Attributes more = {}) const;
  Event network_event(const std::string& network_id, std::string action, const std::string& container_id) const;
  Event event_of(std::string type, std::string action, std::string actor, Attributes attributes) const;
  void tell(Event event);
  /// `ended`: the record as the end has left it.
  Event die_event(const ContainerRecord& ended, const container::ExitFacts& exit, std::chrono::milliseconds ran) const;
  /// Told later than it happened: by a shim, to a daemon that was away.
  void tell_at(Event event, const std::string& time);
  /// One commit: the record, its events and whatever `more` writes; then readers see the record.
  Result<void> save(const ContainerRecord& record, std::vector<Event> events,
                    const std::function<Result<void>()>& more = nullptr);
  /// The same for what cannot be undone: when it cannot be written down (a full disk), readers know it in any case.
  Result<void> save_what_happened(const ContainerRecord& record, std::vector<Event> events,
                                  const std::function<Result<void>()>& more = nullptr);
  struct Locked {
    CellPtr cell;
    std::unique_lock<std::mutex> lock;
    ContainerSnapshot record;
  };
  /// The container with its operation lock held and its record read under it.
  Result<Locked> lock_container(const std::string& name);
  Result<Locked> lock_cell(CellPtr cell);

  // --- create.cc, mounts.cc
  Result<std::optional<image::ImageRecord>> find_image(const container::ContainerSpec& spec);
  Result<ContainerRecord> draft_record(const container::ContainerSpec& spec, const image::ImageRecord* image,
                                       std::vector<std::string>& warnings);
  Result<void> normalise_networks(ContainerRecord& record);
  Result<void> check_other_containers(const container::HostConfig& host);
  Attributes image_attributes(const std::string& id, const std::string& name);
  Result<void> build_container(ContainerRecord& record, const image::ImageRecord* image);
  void discard_container(const ContainerRecord& record);
  Result<std::vector<container::MountPoint>> volumes_from(const container::HostConfig& host);
  Result<void> create_mounts(ContainerRecord& record, std::vector<container::MountPlan>& plans);
  Result<void> create_volume(ContainerRecord& record, container::MountPlan& plan);
  /// "mount" or "unmount" of each of the container's volumes.
  std::vector<Event> volume_events(const ContainerRecord& record, const std::string& action) const;
  Result<void> fill_volumes(const ContainerRecord& record, const std::vector<container::MountPlan>& plans);
  Result<std::vector<oci::Mount>> resolve_mounts(const ContainerRecord& record);
  Result<oci::Mount> resolve_volume(const ContainerRecord& record, container::MountPlan& plan);
  Result<void> find_image_mount(container::MountPlan& plan);
  Result<oci::Mount> resolve_image(const container::MountPlan& plan);
  Result<std::string> mount_source(const container::MountPlan& plan);

  // --- start.cc, endpoints.cc
  Result<void> start_locked(const CellPtr& cell, ContainerRecord record, const std::string& restore_images = {});
  Result<void> try_start(StartAttempt& attempt);
  Result<void> finish_start(StartAttempt& attempt);
  void undo_start(StartAttempt& attempt, const Error& error);
  Result<void> prepare_mounts(StartAttempt& attempt);
  Result<void> join_networks(StartAttempt& attempt);
  Result<void> write_files(StartAttempt& attempt);
  Result<void> plan_process(StartAttempt& attempt);
  Result<void> add_requested_devices(const ContainerRecord& record, oci::Spec& spec);  // devices.cc
  Result<void> plan_request(StartAttempt& attempt);
  Result<void> renew_shim(const CellPtr& cell, const ContainerRecord& record);
  Result<void> create_process(StartAttempt& attempt);
  Result<void> release_process(StartAttempt& attempt);
  Result<ContainerSnapshot> namespace_owner(const std::string& mode, std::string_view kind);
  Result<std::optional<runtime::SeccompProgram>> seccomp_program(const ContainerRecord& record);
  Result<void> attach_network(const ContainerRecord& record, const std::string& name, size_t index, const sys::NsFd& ns,
                              const sys::Fd& netlink, std::vector<network::Endpoint>& endpoints);
  void detach_networks(std::vector<network::Endpoint>& endpoints);
  void detach_after_exit(const ContainerRecord& record, std::vector<network::Endpoint>& endpoints);
  void wait_for_detaches();
  void show_endpoints(ContainerRecord& record, const std::vector<network::Endpoint>& endpoints) const;
  Result<void> save_endpoints(const std::string& id, const std::vector<network::Endpoint>& endpoints);
  std::vector<network::Endpoint> load_endpoints(const std::string& id);
  Result<sys::Fd> open_netlink_of(const ContainerRecord& record);
  Result<void> add_links(const ContainerRecord& record, std::vector<container::HostsEntry>& hosts);
  void add_link_variables(const ContainerRecord& record, std::vector<std::string>& env);  // links.cc
  void renew_hosts_of_linked(const ContainerRecord& started);
  Result<std::string> hosts_text(const ContainerRecord& record, const std::vector<network::Endpoint>& endpoints);

  // --- userns.cc
  oci::UserMappings mappings_of(const ContainerRecord& record) const;
  Result<void> join_user_namespace(StartAttempt& attempt);
  Result<shim::Zygote::Netns> make_netns(const StartAttempt& attempt);

  // --- supervise.cc, health.cc: what the shims report
  void adopt_shim(const CellPtr& cell, std::shared_ptr<shim::ShimConnection> connection);
  void watch_shim(const CellPtr& cell, std::shared_ptr<shim::ShimConnection> connection);
  void drain_shim(const CellPtr& cell, const std::shared_ptr<shim::ShimConnection>& connection);
  void take_event(const CellPtr& cell, const shim::ShimEvent& event);
  void shim_gone(const CellPtr& cell, uint64_t generation);
  void apply_restart(const CellPtr& cell, const shim::ShimEvent& event);
  void apply_oom(const CellPtr& cell, const shim::ShimEvent& event);
  void apply_exit(const CellPtr& cell, uint64_t generation, const container::ExitFacts& exit);
  void after_exit(Locked& locked, const ContainerRecord& record, const container::RestartPlan& plan);
  void schedule_restart(const CellPtr& cell, std::chrono::milliseconds delay);
  void plan_probes(StartAttempt& attempt);
  void start_health(ContainerRecord& record);
  void apply_health(const CellPtr& cell, const shim::ShimEvent& probe);
  Result<pid_t> exec_unfrozen(const CellPtr& cell, shim::ShimConnection& connection, const shim::ExecRequest& request,
                              std::optional<sys::Fd> client);

  // --- stop.cc, remove.cc
  enum class Meaning { JustSignal, End, Leave };  // End: no restart policy undoes it; Leave: the next daemon may
  Result<void> signal_container(Locked& locked, int signal, Meaning meaning);
  Result<void> end_run(const std::string& name, int signal, std::optional<int> timeout);
  Result<void> kill_and_wait(const std::string& id, Meaning meaning = Meaning::End);
  Result<void> remove_locked(Locked& locked, bool volumes);
  Result<void> erase_container(const ContainerRecord& record, bool volumes);
  void remove_anonymous_volumes(const ContainerRecord& record);

  // --- archive.cc
  struct Tree {
    sys::DirFd root;
    std::string path;  // below root
    bool read_only = false;
    oci::UserMappings ids;  // of the root as it is seen from here
    /// Held while the layers are mounted for this alone: the container must not start on them meanwhile.
    std::unique_lock<std::mutex> lock;
  };
  Result<Tree> open_tree(const ContainerRecord& record, const std::string& path);
  Result<Tree> open_rootfs(const std::string& id);

  // --- recover.cc
  Result<void> load_records();
  void reconnect(const CellPtr& cell, std::vector<network::Endpoint>& live);
  void settle_lost(const CellPtr& cell);
  void remove_strays();
  void remove_stray_cgroups();
  void settle_updates();
  void await_shim(const CellPtr& cell, uint64_t generation);
  Result<void> apply_limits(const ContainerRecord& record);
  void resume_restarts();

  EngineOptions options_;
  sys::Fd data_lock_, exec_lock_;
  HostFacts host_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<snapshot::Snapshots> snapshots_;
  std::unique_ptr<registry::Client> registry_;
  std::unique_ptr<image::Images> images_;
  std::unique_ptr<volume::Volumes> volumes_;
  std::unique_ptr<network::Networks> networks_;
  std::unique_ptr<shim::Zygote> zygote_;

  Containers containers_;
  Waiters waiters_;
  Execs execs_;
  std::mutex seccomp_mutex_;
  std::map<std::string, std::optional<runtime::SeccompProgram>> seccomp_cache_;
  std::mutex pruning_;  // one prune at a time
  // Shared: a container is being made of volumes and images; exclusive: one of those may be removed.
  std::shared_mutex volume_use_;
  std::mutex detaches_mutex_;
  std::condition_variable detached_;
  size_t detaches_ = 0;  // under way on the workers
  std::atomic<bool> shutting_down_ = false;
  std::atomic<bool> stopping_all_ = false;  // nothing starts any more, by policy or by hand

  // Last: their threads use everything above, and end first.
  Workers workers_;
  std::unique_ptr<Loop> loop_;
};

/// A group that is gone is that of a container whose exit is under way (stop.cc).
bool is_group_gone(const Error& error);

/// The file becomes the mapped root's; without mappings it stays the host's.
Result<void> give_to_root_of(const oci::UserMappings& mappings, const std::string& path);
/// Whether layers below the directory can be mounted mapped. Errors: what is missing, before any container needs it.
Result<void> check_mapped_layers(const std::string& snapshots, const oci::UserMappings& mappings);

}  // namespace sampan::engine
