// Changing a container that exists: its name, its limits, its restart policy.

#include "base/strings.h"
#include "engine/internal/core.h"

namespace sampan::engine {

namespace {
// Kind of the documents that hold the updates under way, one per container: the request. One that is still there when a
// daemon starts was cut off between the kernel and the record, and is done again.
constexpr const char* kHalfUpdates = "half-update";
}  // namespace

Result<void> Core::rename_container(const std::string& name, const std::string& new_name) {
  std::string target = new_name.starts_with('/') ? new_name.substr(1) : new_name;
  if (target.empty()) return fail(Code::InvalidArgument, "Neither old nor new names may be empty");
  if (target.size() < 2 || !is_safe_component(target)) {
    return fail(Code::InvalidArgument, "Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
                target);
  }
  auto locked = TRY(lock_container(name));
  ContainerRecord record = *locked.record;
  std::string old = record.name;
  if (old == target) {
    return fail(Code::InvalidArgument, "Renaming a container with the same name as its current name");
  }
  TRY(container::can(record, container::Incident::Rename));
  TRY(containers_.reserve_name(target, record.id));
  record.name = target;
  auto saved = save(record, {container_event(record, "rename", {{"oldName", "/" + old}})});
  containers_.release_name(saved ? old : target, record.id);
  if (!saved) return saved;
  networks_->rename(record.id, target);
  return {};
}

Result<std::vector<std::string>> Core::update_container(const std::string& name, const std::string& body_json) {
  auto locked = TRY(lock_container(name));
  ContainerRecord record = *locked.record;
  TRY(container::can(record, container::Incident::Update));
  TRY(container::merge_update(body_json, record.host_config));
  TRY(container::validate_resources(record.host_config, host_.online_cpus));
  if (record.host_config.auto_remove && record.host_config.restart_policy.name != "no" &&
      !record.host_config.restart_policy.name.empty()) {
    return fail(Code::Conflict, "Restart policy cannot be updated because AutoRemove is enabled for the container");
  }
  TRY(container::validate_restart_policy(record.host_config.restart_policy, record.host_config.auto_remove));
  bool live = record.state.running() && record.state.pid != 0;
  if (live) TRY(store::put_document(*store_, kHalfUpdates, record.id, body_json));
  auto updated = live ? apply_limits(record) : Result<void>();
  if (updated) {
    updated = save(record, {container_event(record, "update")},
                   [&] { return store::delete_document(*store_, kHalfUpdates, record.id); });
  }
  if (updated) {
    std::vector<std::string> warnings;
    auto renewed = live ? renew_shim(locked.cell, record) : Result<void>();
    if (!renewed) warnings.push_back("a restart without the daemon is not told of it: " + renewed.error().message());
    return warnings;
  }
  // What was changed before the failure is taken back, as far as the old record names it.
  if (live) (void)apply_limits(*locked.record);
  (void)store::delete_document(*store_, kHalfUpdates, record.id);
  return std::move(updated).error();
}

/// What the record says becomes what the kernel enforces.
Result<void> Core::apply_limits(const ContainerRecord& record) {
  container::RuntimeFacts facts;
  facts.cgroup_version = host_.cgroups.version;
  TRY(add_device_facts(record.host_config, facts));
  auto resources = container::make_resources(record.host_config, facts);
  resources.devices.clear();  // devices stay as they were at start
  auto updated = cgroup_of(record).update(resources);
  if (!updated && is_group_gone(updated.error())) return {};  // the next run has the new limits
  TRY_CONTEXT(std::move(updated), "Cannot update container " + record.id);
  return {};
}

void Core::settle_updates() {
  for (const auto& [id, body] : store::list_documents(*store_, kHalfUpdates).value_or({})) {
    (void)update_container(id, body);  // one that fails now has been refused
    (void)store::delete_document(*store_, kHalfUpdates, id);
  }
}

}  // namespace sampan::engine
