// Removing a container: an idempotent sequence behind the persisted status "removing"; recover() goes on with it.

#include <algorithm>

#include "engine/internal/core.h"
#include "sys/file.h"

namespace sampan::engine {

Result<void> Core::remove_container(const std::string& name, const RemoveOptions& options) {
  auto found = TRY(containers_.get(name));
  if (container::status_of(*found.record) == container::Status::Removing) {
    return fail(Code::Conflict, "removal of container {} is already in progress", name);
  }
  TRY(container::can_remove(*found.record, options.force));
  for (int attempt = 0;; ++attempt) {
    if (options.force && found.record->state.running()) TRY(kill_and_wait(found.record->id));
    auto locked = lock_cell(found.cell);
    if (!locked) return {};  // its own auto-remove was faster
    // Somebody may have started it again before the lock was ours.
    bool again = locked->record->state.running() && options.force && attempt < 5;
    if (again) {
      found.record = locked->record;
      continue;
    }
    TRY(container::can_remove(*locked->record, false));
    return remove_locked(*locked, options.volumes);
  }
}

Result<void> Core::remove_locked(Locked& locked, bool volumes) {
  auto record = container::apply_incident(*locked.record, container::Incident::Remove);
  loop_->cancel(std::exchange(locked.cell->restart_timer, 0));
  TRY(save(record, {}));
  auto erased = erase_container(record, volumes);
  if (!erased) {
    auto dead = container::apply_incident(record, container::Incident::RemovalFailed);
    dead.state.error = erased.error().message();
    (void)save(dead, {});  // the removal's own error matters more
    return std::move(erased).error().with_code(Code::Internal).context("cannot remove container " + record.id);
  }
  return erased;
}

Result<void> Core::erase_container(const ContainerRecord& record, bool volumes) {
  (void)sys::remove_tree(shim_dir(record.id));
  // A process that the kernel does not let go must not keep the name: recover() tries the group again.
  (void)cgroup_of(record).remove();
  TRY_CONTEXT(snapshots_->remove(SnapshotKey(record.id)), "remove the writable layer");
  if (volumes) remove_anonymous_volumes(record);
  TRY(sys::remove_tree(container_dir(record.id)));
  TRY(store_->transaction([&]() -> Result<void> {
    TRY(store::delete_document(*store_, "container", record.id));
    return events_->append(container_event(record, "destroy"));
  }));
  execs_.forget_all(record.id);
  containers_.erase(record.id);
  waiters_.notify_removed(record.id, record.name, {record.state.exit_code, record.state.error});
  return {};
}

/// Only what was made for this container: a volume that was asked for by its name stays, whoever made it.
void Core::remove_anonymous_volumes(const ContainerRecord& record) {
  auto plans = container::plan_mounts(record.config, record.host_config, {});
  if (!plans) return;
  for (const auto& plan : *plans) {
    if (!plan.anonymous) continue;
    auto point = std::ranges::find(record.mounts, plan.point.destination, &container::MountPoint::destination);
    if (point == record.mounts.end() || point->name.empty()) continue;
    auto users = users_of_volume(point->name);
    std::erase(users, record.id);
    if (!users.empty()) continue;
    if (volumes_->remove(point->name)) tell(event_of("volume", "destroy", point->name, {{"driver", point->driver}}));
  }
}

}  // namespace sampan::engine
