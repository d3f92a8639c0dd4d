// User namespaces: whose ids stand behind those of a container. The daemon has one mapping for all containers that do
// not ask for the host's. Layers and volumes keep on disk the ids that containers see, for they are mounted mapped; so
// the same store serves a daemon with and one without a mapping.

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/internal/start_attempt.h"
#include "runtime/runtime.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/overlay.h"
#include "sys/tree.h"

namespace sampan::engine {

namespace {

/// Of a process that runs; empty when it has no user namespace of its own.
oci::UserMappings mappings_of_process(int64_t pid) {
  auto read = [&](const char* file) {
    return oci::parse_id_map(sys::read_file(fmt::format("/proc/{}/{}", pid, file)).value_or(""));
  };
  oci::UserMappings own{read("uid_map"), read("gid_map")};
  bool identity = own.uids.size() == 1 && own.uids[0].container_id == 0 && own.uids[0].host_id == 0;
  return identity || own.gids.empty() ? oci::UserMappings() : own;
}

}  // namespace

oci::UserMappings Core::mappings_of(const ContainerRecord& record) const {
  // One that runs may have been started by a daemon with another mapping.
  if (record.state.running() && record.state.pid > 0) return mappings_of_process(record.state.pid);
  return record.host_config.userns_mode == "host" ? oci::UserMappings() : options_.user_mappings;
}

/// A container that shares a namespace of another one is in the user namespace that owns it, as in Docker.
Result<void> Core::join_user_namespace(StartAttempt& attempt) {
  attempt.facts.user_mappings = mappings_of(attempt.record);
  if (attempt.facts.user_mappings.empty()) return {};
  attempt.facts.host_mqueue = sys::path_exists("/dev/mqueue");
  const auto& host = attempt.record.host_config;
  for (const auto* mode : {&host.network_mode, &host.pid_mode, &host.ipc_mode}) {
    if (!mode->starts_with("container:")) continue;
    const char* kind = mode == &host.network_mode ? "network" : mode == &host.pid_mode ? "pid" : "ipc";
    auto owner = TRY(namespace_owner(*mode, kind));
    if (!(mappings_of(*owner) == attempt.facts.user_mappings)) {
      return fail(Code::Conflict, "cannot join namespace of container {}: its user namespace is another one",
                  owner->name);
    }
    attempt.facts.namespace_paths["user"] = fmt::format("/proc/{}/ns/user", owner->state.pid);
  }
  return {};
}

Result<shim::Zygote::Netns> Core::make_netns(const StartAttempt& attempt) {
  auto joined = attempt.facts.namespace_paths.find("user");
  if (joined == attempt.facts.namespace_paths.end()) return zygote_->make_netns(attempt.facts.user_mappings);
  auto userns = TRY(sys::open_file(joined->second, O_RDONLY)).as<sys::NsFdTag>();
  return zygote_->make_netns_in(userns);
}

Result<void> give_to_root_of(const oci::UserMappings& mappings, const std::string& path) {
  auto uid = oci::host_id(mappings.uids, 0), gid = oci::host_id(mappings.gids, 0);
  if (!uid || !gid) return {};
  if (::lchown(path.c_str(), *uid, *gid) != 0) return sys::sys_error("chown", path);
  return {};
}

Result<void> check_mapped_layers(const std::string& snapshots, const oci::UserMappings& mappings) {
  if (mappings.empty()) return {};
  std::string probe = snapshots + "/.userns-probe";
  (void)sys::remove_tree(probe);
  for (const char* name : {"/lower", "/upper", "/work"}) TRY(sys::make_dirs(probe + name));
  sys::OverlayOptions overlay;
  overlay.values = {{"lowerdir+", probe + "/lower"}, {"upperdir", probe + "/upper"}, {"workdir", probe + "/work"}};
  auto made = [&]() -> Result<void> {
    auto userns = TRY(runtime::make_user_namespace(mappings));
    auto uid = oci::host_id(mappings.uids, 0), gid = oci::host_id(mappings.gids, 0);
    if (!uid || !gid) return fail(Code::InvalidArgument, "the mappings have no root");
    auto mount = TRY(sys::make_idmapped_overlay_mount(overlay, 0, userns, *uid, *gid));
    auto facts = TRY(sys::fs_facts(mount.get()));
    // An overlay that cannot make its working directory mounts read-only instead of failing.
    if (facts.mount_flags & ST_RDONLY) return fail(Code::Unavailable, "its writable layer cannot be written to");
    return {};
  }();
  (void)sys::remove_tree(probe);
  TRY_CONTEXT(std::move(made), fmt::format("userns-remap needs overlays of id-mapped layers (Linux 5.19) on the file "
                                           "system of {}",
                                           snapshots));
  return {};
}

}  // namespace sampan::engine
