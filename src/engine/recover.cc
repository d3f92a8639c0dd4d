// After a restart: the records are read, the disk is reconciled, shims are found again or their exit records applied,
// networks are told who lives, and what belongs to nobody goes.

#include <signal.h>

#include <algorithm>

#include "engine/internal/core.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

bool is_container_id(const std::string& name) {
  return name.size() == 64 &&
         std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Result<void> Core::recover() {
  TRY_CONTEXT(snapshots_->recover(), "recover snapshots");
  TRY_CONTEXT(images_->recover(), "recover images");
  TRY_CONTEXT(volumes_->recover(), "recover volumes");
  TRY_CONTEXT(load_records(), "recover containers");
  std::vector<network::Endpoint> live;
  for (const auto& record : containers_.list()) {
    if (auto cell = containers_.cell(record->id)) reconnect(cell, live);
  }
  settle_updates();
  TRY_CONTEXT(networks_->recover(live), "recover networks");
  remove_strays();
  for (const auto& record : containers_.list()) {
    auto status = container::status_of(*record);
    bool half = status == container::Status::Created && !snapshots_->exists(SnapshotKey(record->id));
    bool ended = status == container::Status::Exited && record->host_config.auto_remove;
    if (status != container::Status::Removing && !half && !ended) continue;
    if (auto locked = lock_cell(containers_.cell(record->id)))
      (void)remove_locked(*locked, record->host_config.auto_remove);
  }
  resume_restarts();
  return {};
}

/// A record that cannot be read is set aside with its bytes; the others go on.
Result<void> Core::load_records() {
  for (const auto& [id, json] : TRY(store::list_documents(*store_, "container"))) {
    auto record = container::parse_record(json);
    bool good = record && record->id == id && is_container_id(id) && !record->name.empty();
    if (good) good = containers_.reserve_name(record->name, id).has_value();
    if (good) {
      containers_.insert(std::move(*record));
      continue;
    }
    TRY(store::quarantine_document(*store_, "container", id, record ? "inconsistent" : record.error().message()));
  }
  return {};
}

void Core::reconnect(const CellPtr& cell, std::vector<network::Endpoint>& live) {
  auto record = containers_.record(cell->id);
  auto status = container::status_of(*record);
  bool ran = status == container::Status::Running || status == container::Status::Paused;
  auto connection = shim::connect_shim(shim_dir(cell->id), std::chrono::seconds(2));
  if (ran && !connection && shim::is_busy(connection.error())) {
    cell->endpoints = load_endpoints(cell->id);
    live.insert(live.end(), cell->endpoints.begin(), cell->endpoints.end());
    return await_shim(cell, record->generation);
  }
  if (connection && (*connection)->generation() == record->generation) {
    std::lock_guard lock(cell->operation);
    if (!ran) {
      // The daemon died between the start and its record. The container runs: say so.
      auto started = container::apply_started(*record, (*connection)->init_pid(), now_text());
      start_health(started);
      if (!save(started, {container_event(started, "start")})) return;
      record = containers_.record(cell->id);
    }
    cell->endpoints = load_endpoints(cell->id);
    live.insert(live.end(), cell->endpoints.begin(), cell->endpoints.end());
    adopt_shim(cell, std::shared_ptr<shim::ShimConnection>(std::move(*connection)));
    return;
  }
  if (connection) (void)(*connection)->signal(SIGKILL);  // of another generation: nobody's any more
  if (ran)
    settle_lost(cell);
  else
    (void)sys::remove_tree(shim_dir(cell->id));
}

/// Applies the exit that happened while no daemon ran; one that nobody recorded is never a success.
void Core::settle_lost(const CellPtr& cell) {
  cell->endpoints = load_endpoints(cell->id);  // so that the exit takes them back
  shim_gone(cell, containers_.record(cell->id)->generation);
}

void Core::remove_strays() {
  for (const auto& name : sys::list_dir(options_.exec_root + "/shim").value_or({})) {
    if (containers_.record(name)) continue;
    std::string dir = options_.exec_root + "/shim/" + name;
    if (auto connection = shim::connect_shim(dir)) (void)(*connection)->signal(SIGKILL);
    (void)sys::remove_tree(dir);
  }
  for (const auto& name : sys::list_dir(options_.data_root + "/containers").value_or({})) {
    if (!containers_.record(name)) (void)sys::remove_tree(options_.data_root + "/containers/" + name);
  }
  if (auto snapshots = snapshots_->list()) {
    for (const auto& snapshot : *snapshots) {
      // Writable layers are containers' or those of builds, which did not survive.
      if (snapshot.writable && !containers_.record(snapshot.key.str())) (void)snapshots_->remove(snapshot.key);
    }
  }
  remove_stray_cgroups();
}

/// Only below our own parent, and only what has the form of our names.
void Core::remove_stray_cgroups() {
  std::set<std::string> roots;
  if (!host_.cgroups.v2_root.empty()) roots.insert(host_.cgroups.v2_root);
  for (const auto& [controller, root] : host_.cgroups.v1_roots) roots.insert(root);
  std::set<std::string> strays;
  for (const auto& root : roots) {
    for (const auto& name : sys::list_dir(root + options_.cgroup_parent).value_or({})) {
      if (!is_container_id(name)) continue;
      auto record = containers_.record(name);
      if (!record || !record->state.running()) strays.insert(name);
    }
  }
  for (const auto& name : strays) {
    auto group = cgroup::Cgroup::open(host_.cgroups, options_.cgroup_parent + "/" + name);
    (void)group.kill_all();
    (void)group.remove();
  }
}

void Core::resume_restarts() {
  for (const auto& record : containers_.list()) {
    if (!container::restarts_with_daemon(*record)) continue;
    workers_.post(record->id, [this, id = record->id] {
      auto cell = containers_.cell(id);
      if (!cell) return;
      auto locked = lock_cell(cell);
      if (!locked || locked->record->state.pid != 0 || !container::restarts_with_daemon(*locked->record)) return;
      (void)start_locked(cell, container::begin_start(*locked->record));  // its error is in the record
    });
  }
}

}  // namespace sampan::engine
