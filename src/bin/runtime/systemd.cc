// --systemd-cgroup: the container's control groups are a scope of systemd.
#include "cgroup/systemd.h"

#include "bin/runtime/context.h"
#include "cgroup/cgroup.h"

namespace sampan::bin {
namespace {

constexpr const char* kTasks = "pids.max";

}  // namespace

Result<void> place_cgroups(const Context& context, Bundle& bundle, const std::string& id) {
  if (!bundle.spec.linux_) return {};
  std::string& path = bundle.spec.linux_->cgroups_path;
  if (context.systemd_cgroup) {
    bundle.unit = TRY(cgroup::parse_unit_place(path, id));
    path = bundle.unit->path;
  } else if (!path.starts_with('/')) {
    path = cgroup::base_of_relative_paths() + "/" + (path.empty() ? id : path);
  }
  return {};
}

Result<ContainerScope> ContainerScope::start(const Bundle& bundle) {
  ContainerScope out(bundle);
  if (!bundle.unit) return out;
  cgroup::ScopeOptions options;
  options.place = *bundle.unit;
  options.resources = runtime::resources_of(bundle.spec);  // systemd's filter must let through what every container has
  options.annotations = bundle.spec.annotations;
  options.version = TRY(cgroup::detect_host()).version;
  out.scope_.emplace(TRY(cgroup::SystemdScope::start(options)));
  out.held_ = bundle.spec;
  if (auto& resources = out.held_->linux_->resources) {
    resources->pids.reset();
    resources->unified.erase(kTasks);
  }
  return out;
}

Result<void> ContainerScope::settle(const cgroup::Cgroup& cgroups) {
  if (!scope_) return {};
  TRY(scope_->settle());
  const auto& asked = bundle_->spec.linux_->resources;
  if (!asked) return {};
  oci::Resources tasks;
  tasks.pids = asked->pids;
  if (auto unified = asked->unified.find(kTasks); unified != asked->unified.end()) tasks.unified.insert(*unified);
  auto files = cgroups;
  return files.update(tasks);
}

Result<void> stop_scope(const Record& record) {
  return record.systemd_unit.empty() ? Result<void>() : cgroup::stop_unit(record.systemd_unit);
}

}  // namespace sampan::bin
