#include "runtime/internal/plan.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "runtime/internal/devices.h"
#include "runtime/internal/idmap.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/kernel_features.h"
#include "sys/overlay.h"
#include "sys/process.h"

namespace sampan::runtime::internal {
namespace {

uint64_t namespace_flag(std::string_view type) {
  if (type == "network") return sys::ns::kNet;
  if (type == "mount") return sys::ns::kMount;
  return sys::ns::flag_of_proc_name(type);
}

Result<NamespaceJoin> open_namespace(const oci::Namespace& wanted, uint64_t type) {
  auto fd = TRY(sys::open_file(wanted.path, O_RDONLY));
  auto real = sys::namespace_type(fd.get());
  if (!real || *real != type)
    return fail(Code::InvalidArgument, "\"{}\" is not a {} namespace", wanted.path, wanted.type);
  return NamespaceJoin{std::move(fd), type};
}

bool same(const std::vector<oci::IdMapping>& a, const std::vector<oci::IdMapping>& b) {
  return format_mappings(a) == format_mappings(b);
}

/// What maps a mount's ids: the namespace that the container joins when it has the same mappings, or one made for this.
Result<sys::NsFd> mapping_namespace(const oci::Mount& asked, const oci::Spec* spec) {
  if (!spec || !spec->linux_) return make_user_namespace(asked.uid_mappings, asked.gid_mappings);
  const auto& section = *spec->linux_;
  bool own = asked.uid_mappings.empty() ||
             (same(asked.uid_mappings, section.uid_mappings) && same(asked.gid_mappings, section.gid_mappings));
  for (const auto& ns : section.namespaces)
    if (own && ns.type == "user" && !ns.path.empty()) return TRY(sys::open_file(ns.path, O_RDONLY)).as<sys::NsFdTag>();
  if (asked.uid_mappings.empty()) return make_user_namespace(section.uid_mappings, section.gid_mappings);
  return make_user_namespace(asked.uid_mappings, asked.gid_mappings);
}

Result<void> idmap_mount(const sys::MountFd& mount, const oci::Mount& asked, const MountOptions& options,
                         const oci::Spec* spec) {
  if (!options.idmap && !options.recursive_idmap && asked.uid_mappings.empty()) return {};
  auto recursive = options.recursive_idmap ? sys::Recursive::Yes : sys::Recursive::No;
  auto userns = TRY(mapping_namespace(asked, spec));
  return sys::change_mount(mount.get(), {.set = sys::attr::kIdmap, .userns = userns.get()}, recursive);
}

/// What another process sees at a path: "/proc/PID/root/...". Its mounts are of another namespace, where only somebody
/// inside may clone them; so we go there for a moment. Our own working directory is found again by its descriptor.
Result<sys::MountFd> clone_foreign(const std::string& ns_path, const std::string& path, sys::Recursive recursive) {
  auto here = TRY(sys::open_file("/proc/self/ns/mnt", O_RDONLY));
  auto there = TRY(sys::open_file(ns_path, O_RDONLY));
  auto directory = TRY(sys::open_dir("."));
  TRY(sys::set_namespaces(there.get(), sys::ns::kMount));
  auto mount = sys::clone_mount(AT_FDCWD, path, recursive);
  TRY_CONTEXT(sys::set_namespaces(here.get(), sys::ns::kMount), "return from another mount namespace");
  if (::fchdir(directory.get()) != 0) return sys::sys_error("fchdir", ".");
  return mount;
}

Result<sys::MountFd> clone_source(const std::string& source, sys::Recursive recursive) {
  constexpr std::string_view kRoot = "/root/";
  size_t root = source.find(kRoot);
  bool foreign = source.starts_with("/proc/") && root != std::string::npos && parse_uint(source.substr(6, root - 6));
  if (!foreign) return sys::clone_mount(AT_FDCWD, source, recursive);
  return clone_foreign(source.substr(0, root) + "/ns/mnt", source.substr(root + kRoot.size() - 1), recursive);
}

/// A detached copy of the source with everything that was asked for. What the host mounts later shows up inside, and
/// nothing goes the other way unless the root itself is shared: that also holds for the mounts below the one that an
/// option without "r" is about.
Result<sys::MountFd> open_bind(const oci::Mount& asked, const MountOptions& options, const oci::Spec& spec) {
  auto mount = TRY(clone_source(asked.source, options.recursive ? sys::Recursive::Yes : sys::Recursive::No));
  TRY(idmap_mount(mount, asked, options, &spec));
  if (options.recursive_set | options.recursive_clear)
    TRY(sys::change_mount(mount.get(), {.set = options.recursive_set, .clear = options.recursive_clear},
                          sys::Recursive::Yes));
  if (options.set | options.clear)
    TRY(sys::change_mount(mount.get(), {.set = options.set, .clear = options.clear}, sys::Recursive::No));
  bool any = options.propagation | options.recursive_propagation;
  if (!any || !spec.linux_->rootfs_propagation.ends_with("shared"))
    TRY(sys::change_mount(mount.get(), {.propagation = sys::propagation::kSlave}, sys::Recursive::Yes));
  if (options.recursive_propagation)
    TRY(sys::change_mount(mount.get(), {.propagation = options.recursive_propagation}, sys::Recursive::Yes));
  if (options.propagation)
    TRY(sys::change_mount(mount.get(), {.propagation = options.propagation}, sys::Recursive::No));
  return mount;
}

/// Its directories are the host's, named as the caller sees them, and a container's root may be nobody there.
Result<sys::MountFd> open_overlay(const oci::Mount& asked, const MountOptions& options) {
  sys::OverlayOptions overlay{asked.source.empty() ? asked.type : asked.source, options.flags, options.values};
  auto mount = TRY(sys::make_overlay_mount(overlay, options.set | options.recursive_set));
  uint64_t propagation = options.propagation | options.recursive_propagation;
  if (propagation != 0) TRY(sys::change_mount(mount.get(), {.propagation = propagation}, sys::Recursive::No));
  return mount;
}

Result<void> plan_mounts(const oci::Spec& spec, ContainerPlan& plan) {
  for (const auto& asked : spec.mounts) {
    PreparedMount prepared{&asked, parse_mount_options(asked.options), {}};
    bool bind = is_bind(asked, prepared.options);
    if (bind || asked.type == "overlay") {
      auto source = bind ? open_bind(asked, prepared.options, spec) : open_overlay(asked, prepared.options);
      if (!source)
        return std::move(source).error().context(
            fmt::format("error mounting \"{}\" to rootfs at \"{}\"", asked.source, asked.destination));
      prepared.source = std::move(*source);
    } else if (asked.type == "overlay" && !asked.uid_mappings.empty()) {
      prepared.source = TRY_CONTEXT(open_rootfs(asked, &spec), "mount " + asked.destination);
    }
    plan.mounts.push_back(std::move(prepared));
  }
  return {};
}

Result<void> plan_devices(const oci::Spec& spec, ContainerPlan& plan) {
  auto devices = default_devices();
  if (spec.linux_)
    for (const auto& device : spec.linux_->devices) {
      std::erase_if(devices, [&](const oci::Device& known) { return known.path == device.path; });
      devices.push_back(device);
    }
  for (auto& device : devices) {
    PreparedDevice prepared{std::move(device), {}};
    if (plan.user_namespace)
      prepared.source = TRY(sys::clone_mount(AT_FDCWD, host_node(prepared.device), sys::Recursive::No));
    plan.devices.push_back(std::move(prepared));
  }
  return {};
}

std::string last_component(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// The container's own directory of every hierarchy. A bind of it looks, inside a cgroup namespace, exactly as a fresh
/// mount would, for a third of the calls.
Result<void> plan_cgroup_mounts(const cgroup::HostCgroups& host, const cgroup::Cgroup& cgroups, ContainerPlan& plan) {
  auto asked = std::find_if(plan.mounts.begin(), plan.mounts.end(), [](const PreparedMount& prepared) {
    return !prepared.source.valid() && (prepared.mount->type == "cgroup" || prepared.mount->type == "cgroup2");
  });
  if (asked == plan.mounts.end()) return {};
  uint64_t set = asked->options.set | asked->options.recursive_set;
  auto add = [&](const std::string& name, const std::string& dir) -> Result<void> {
    auto mount = TRY(sys::clone_mount(AT_FDCWD, dir, sys::Recursive::No));
    TRY(sys::change_mount(mount.get(), {.set = set, .propagation = sys::propagation::kPrivate}, sys::Recursive::No));
    plan.cgroup_binds.emplace_back(name, std::move(mount));
    return {};
  };
  if (host.version == cgroup::Version::V2) {
    bool own = plan.late_namespaces & sys::ns::kCgroup;
    return add("", own ? cgroups.dir_in(host.v2_root) : host.v2_root);
  }
  for (const auto& root : host.unique_v1_roots()) TRY(add(last_component(root), cgroups.dir_in(root)));
  if (!host.v2_root.empty()) TRY(add(last_component(host.v2_root), cgroups.dir_in(host.v2_root)));
  for (const auto& [controller, root] : host.v1_roots)
    if (!controller.starts_with("name=") && controller != last_component(root))
      plan.cgroup_links.emplace_back(controller, last_component(root));
  return {};
}

/// Rootless and without control groups of its own: the host's, read-only, as they show to the caller.
Result<void> plan_host_cgroup_mounts(ContainerPlan& plan) {
  auto mount = TRY(sys::clone_mount(AT_FDCWD, "/sys/fs/cgroup", sys::Recursive::Yes));
  TRY(sys::change_mount(mount.get(), {.set = sys::attr::kReadOnly, .propagation = sys::propagation::kPrivate},
                        sys::Recursive::Yes));
  plan.cgroup_binds.emplace_back("", std::move(mount));
  return {};
}

Result<sys::CapabilityMask> mask_of(const std::vector<std::string>& names, std::vector<std::string>& warnings) {
  sys::CapabilityMask mask = 0;
  for (const auto& name : names) {
    auto number = sys::capability_of_name(name);
    if (number)
      mask |= sys::CapabilityMask{1} << *number;
    else
      warnings.push_back(fmt::format("unknown capability \"{}\" was not given", name));
  }
  return mask;
}

}  // namespace

Result<NamespacePlan> plan_namespaces(const oci::Spec& spec) {
  NamespacePlan plan;
  if (!spec.linux_) return fail(Code::InvalidArgument, "the specification has no \"linux\" section");
  uint64_t seen = 0;
  for (const auto& wanted : spec.linux_->namespaces) {
    uint64_t flag = namespace_flag(wanted.type);
    if (flag == 0) return fail(Code::InvalidArgument, "unknown namespace type \"{}\"", wanted.type);
    seen |= flag;
    if (wanted.path.empty()) {
      bool late = flag == sys::ns::kCgroup ||
                  (flag == sys::ns::kTime && (!spec.linux_->time_offsets.empty() || !sys::has_clone3()));
      (late ? plan.made_late : plan.made_by_clone) |= flag;
      continue;
    }
    auto join = TRY(open_namespace(wanted, flag));
    if (flag == sys::ns::kPid)
      plan.pid = std::move(join.fd);
    else
      plan.joins.push_back(std::move(join));
    plan.user_joined = plan.user_joined || flag == sys::ns::kUser;
  }
  // An IPC namespace gives its message queue file system to whoever makes it: that must be the mapped root.
  if (plan.made_by_clone & sys::ns::kUser && plan.made_by_clone & sys::ns::kIpc) {
    plan.made_by_clone &= ~sys::ns::kIpc;
    plan.made_late |= sys::ns::kIpc;
  }
  if (!(seen & sys::ns::kMount)) return fail(Code::InvalidArgument, "a container needs a mount namespace of its own");
  if (!spec.linux_->time_offsets.empty() && !(plan.made_late & sys::ns::kTime))
    return fail(Code::InvalidArgument, "time offsets need a new time namespace");
  return plan;
}

Result<sys::MountFd> open_rootfs(const oci::Mount& mount, const oci::Spec* spec) {
  auto options = parse_mount_options(mount.options);
  if (is_bind(mount, options)) {
    auto tree = TRY(sys::clone_mount(AT_FDCWD, mount.source, sys::Recursive::Yes));
    sys::MountChange change{options.set, options.clear, sys::propagation::kPrivate};
    TRY(sys::change_mount(tree.get(), {.propagation = sys::propagation::kPrivate}, sys::Recursive::Yes));
    if (change.set | change.clear) TRY(sys::change_mount(tree.get(), change, sys::Recursive::No));
    TRY(idmap_mount(tree, mount, options, spec));
    return tree;
  }
  if (mount.type == "overlay") {
    sys::OverlayOptions overlay{mount.source.empty() ? mount.type : mount.source, options.flags, options.values};
    if (mount.uid_mappings.empty()) return sys::make_overlay_mount(overlay, options.set);
    auto uid = oci::host_id(mount.uid_mappings, 0), gid = oci::host_id(mount.gid_mappings, 0);
    if (!uid || !gid) return fail(Code::InvalidArgument, "the mappings have no root");
    auto userns = TRY(mapping_namespace(mount, spec));
    return sys::make_idmapped_overlay_mount(overlay, options.set, userns, *uid, *gid);
  }
  auto fs = TRY(sys::open_fs(mount.type));
  TRY(sys::set_fs_string(fs, "source", mount.source.empty() ? mount.type : mount.source));
  for (const auto& flag : options.flags) TRY(sys::set_fs_flag(fs, flag));
  for (const auto& [key, value] : options.values) TRY(sys::set_fs_string(fs, key, value));
  return sys::make_fs_mount(fs, options.set);
}

Result<ContainerPlan> plan_container(const oci::Spec& spec, const CreateOptions& options,
                                     const cgroup::HostCgroups& host, const cgroup::Cgroup& cgroups,
                                     NamespacePlan& namespaces) {
  ContainerPlan plan;
  plan.spec = &spec;
  plan.new_namespaces = namespaces.made_by_clone;
  plan.late_namespaces = namespaces.made_late;
  plan.joins = std::move(namespaces.joins);
  plan.user_namespace =
      namespaces.user_joined || namespaces.user_entered || (namespaces.made_by_clone & sys::ns::kUser);
  plan.own_mount_namespace = namespaces.made_by_clone & sys::ns::kMount;
  plan.no_pivot = options.no_pivot;
  if (!plan.own_mount_namespace) return plan;
  plan.rootfs = TRY_CONTEXT(open_rootfs(options.rootfs, &spec), "mount rootfs");
  TRY(plan_mounts(spec, plan));
  TRY_CONTEXT(plan_devices(spec, plan), "open devices");
  TRY_CONTEXT(namespaces.no_cgroups ? plan_host_cgroup_mounts(plan) : plan_cgroup_mounts(host, cgroups, plan),
              "open control groups");
  if (options.init_path.empty()) return plan;
  plan.init_program =
      TRY_CONTEXT(sys::clone_mount(AT_FDCWD, options.init_path, sys::Recursive::No), "open init program");
  TRY(sys::change_mount(plan.init_program.get(),
                        {.set = sys::attr::kReadOnly, .propagation = sys::propagation::kPrivate}, sys::Recursive::No));
  return plan;
}

Result<void> plan_capabilities(const oci::Process& process, ProcessPlan& plan, std::vector<std::string>& warnings) {
  oci::Capabilities none;
  const auto& asked = process.capabilities ? *process.capabilities : none;
  plan.bounding = TRY(mask_of(asked.bounding, warnings));
  plan.effective = TRY(mask_of(asked.effective, warnings));
  plan.permitted = TRY(mask_of(asked.permitted, warnings));
  plan.inheritable = TRY(mask_of(asked.inheritable, warnings));
  plan.ambient = TRY(mask_of(asked.ambient, warnings));
  // A capability can be effective only when it is permitted, and permitted only when somebody may still gain it.
  plan.effective &= plan.permitted;
  auto there = TRY(sys::get_capabilities()).permitted;
  for (unsigned i = 0; i < 64; ++i)
    if (plan.permitted >> i & 1 && !(there >> i & 1))
      warnings.push_back(fmt::format("{} is not available on this host", sys::capability_name(i)));
  return {};
}

Result<PidNamespaceVisit> PidNamespaceVisit::enter(int target) {
  auto home = TRY(sys::open_file("/proc/self/ns/pid", O_RDONLY));
  TRY_CONTEXT(sys::set_namespaces(target, sys::ns::kPid), "join pid namespace");
  return PidNamespaceVisit(std::move(home));
}

PidNamespaceVisit::~PidNamespaceVisit() {
  // Back home cannot fail: the namespace is the caller's own and open.
  if (home_.valid()) (void)sys::set_namespaces(home_.get(), sys::ns::kPid);
}

}  // namespace sampan::runtime::internal
