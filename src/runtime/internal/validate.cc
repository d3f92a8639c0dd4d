// Source: runtime-spec config.md, config-linux.md.
#include "runtime/internal/validate.h"

#include <algorithm>
#include <set>

#include "runtime/internal/mount_options.h"
#include "runtime/runtime.h"
#include "sys/process.h"

namespace sampan::runtime::internal {
namespace {

Result<void> check_rlimits(const std::vector<oci::Rlimit>& rlimits) {
  std::set<std::string_view> seen;
  for (const auto& limit : rlimits) {
    if (!sys::resource_of_name(limit.type))
      return fail(Code::InvalidArgument, "process.rlimits: rlimit type {} is unknown", limit.type);
    if (!seen.insert(limit.type).second)
      return fail(Code::InvalidArgument, "process.rlimits: {} is given twice", limit.type);
    if (limit.soft > limit.hard)
      return fail(Code::InvalidArgument, "process.rlimits: {}: soft limit above hard limit", limit.type);
  }
  return {};
}

Result<void> check_scheduler(const oci::Scheduler& scheduler) {
  const std::string& policy = scheduler.policy;
  if (policy.empty()) return fail(Code::InvalidArgument, "process.scheduler.policy is required");
  if (scheduler.nice < -20 || scheduler.nice > 19)
    return fail(Code::InvalidArgument, "process.scheduler.nice {} is not in -20..19", scheduler.nice);
  if (scheduler.priority != 0 && policy != "SCHED_FIFO" && policy != "SCHED_RR")
    return fail(Code::InvalidArgument, "process.scheduler.priority is only for SCHED_FIFO and SCHED_RR, not {}",
                policy);
  if ((scheduler.runtime | scheduler.deadline | scheduler.period) != 0 && policy != "SCHED_DEADLINE")
    return fail(Code::InvalidArgument,
                "process.scheduler: runtime, deadline and period are only for SCHED_DEADLINE, not {}", policy);
  return {};
}

Result<void> check_io_priority(const oci::IoPriority& asked) {
  if (asked.clazz != "IOPRIO_CLASS_RT" && asked.clazz != "IOPRIO_CLASS_BE" && asked.clazz != "IOPRIO_CLASS_IDLE")
    return fail(Code::InvalidArgument, "process.ioPriority.class \"{}\" is unknown", asked.clazz);
  if (asked.priority < 0 || asked.priority > 7)
    return fail(Code::InvalidArgument, "process.ioPriority.priority {} is not in 0..7", asked.priority);
  return {};
}

Result<void> check_mount(const oci::Mount& mount, bool user_namespace) {
  auto options = parse_mount_options(mount.options);
  bool bind = is_bind(mount, options);
  bool mapped = options.idmap || options.recursive_idmap || !mount.uid_mappings.empty() || !mount.gid_mappings.empty();
  if (mount.destination.empty()) return fail(Code::InvalidArgument, "mounts: a mount without a destination");
  if (mount.uid_mappings.empty() != mount.gid_mappings.empty())
    return fail(Code::InvalidArgument, "mounts: \"{}\": uidMappings and gidMappings must both be given",
                mount.destination);
  bool layered = mount.type == "overlay" && !mount.uid_mappings.empty();
  if (mapped && !bind && !layered)
    return fail(Code::InvalidArgument, "mounts: \"{}\": only bind mounts can be id-mapped", mount.destination);
  if (mapped && mount.uid_mappings.empty() && !user_namespace)
    return fail(Code::InvalidArgument,
                "mounts: \"{}\": idmap without mappings of its own needs a container with a user namespace",
                mount.destination);
  if (bind && !(options.flags.empty() && options.values.empty()))
    return fail(Code::InvalidArgument,
                "mounts: \"{}\": bind mounts cannot have any filesystem-specific options: \"{}\"", mount.destination,
                options.flags.empty() ? options.values[0].first : options.flags[0]);
  return {};
}

Result<void> check_hooks(const char* kind, const std::vector<oci::Hook>& hooks) {
  for (const auto& hook : hooks) {
    if (!hook.path.starts_with('/'))
      return fail(Code::InvalidArgument, "hooks.{}: path \"{}\" is not absolute", kind, hook.path);
    if (hook.timeout && *hook.timeout <= 0)
      return fail(Code::InvalidArgument, "hooks.{}: timeout {} of \"{}\" is not above zero", kind, *hook.timeout,
                  hook.path);
  }
  return {};
}

Result<void> check_all_hooks(const oci::Hooks& hooks) {
  TRY(check_hooks("prestart", hooks.prestart));
  TRY(check_hooks("createRuntime", hooks.create_runtime));
  TRY(check_hooks("createContainer", hooks.create_container));
  TRY(check_hooks("startContainer", hooks.start_container));
  TRY(check_hooks("poststart", hooks.poststart));
  return check_hooks("poststop", hooks.poststop);
}

Result<void> check_personality(const oci::Personality& personality) {
  if (personality.domain != "LINUX" && personality.domain != "LINUX32")
    return fail(Code::InvalidArgument, "linux.personality.domain \"{}\" is unknown", personality.domain);
  if (!personality.flags.empty())
    return fail(Code::NotImplemented, "linux.personality.flags are not supported: \"{}\"", personality.flags[0]);
  return {};
}

Result<void> check_linux(const oci::Linux& section, bool user_namespace) {
  std::set<std::string_view> spaces;
  for (const auto& space : section.namespaces)
    if (!spaces.insert(space.type).second)
      return fail(Code::InvalidArgument, "malformed spec file: duplicated ns {{\"{}\" \"{}\"}}", space.type,
                  space.path);
  if (section.intel_rdt) return fail(Code::NotImplemented, "linux.intelRdt: Intel RDT is not supported");
  if (section.personality) TRY(check_personality(*section.personality));
  for (const auto& [clock, offset] : section.time_offsets) {
    if (clock != "monotonic" && clock != "boottime")
      return fail(Code::InvalidArgument, "linux.timeOffsets: \"{}\" is not a clock that can be shifted", clock);
    if (offset.nanosecs > 999'999'999)
      return fail(Code::InvalidArgument, "linux.timeOffsets: {} nanoseconds of \"{}\" are a second and more",
                  offset.nanosecs, clock);
  }
  if (!user_namespace && !(section.uid_mappings.empty() && section.gid_mappings.empty()))
    return fail(Code::InvalidArgument,
                "linux.uidMappings and gidMappings are given, but no user namespace is in linux.namespaces");
  for (const auto& device : section.devices)
    if (!device.path.starts_with('/'))
      return fail(Code::InvalidArgument, "linux.devices: path \"{}\" is not absolute", device.path);
  return {};
}

/// A capability can be ambient only when it is both permitted and inheritable.
void warn_of_ambient(const oci::Capabilities& asked, std::vector<std::string>& warnings) {
  auto has = [](const std::vector<std::string>& set, const std::string& name) {
    return std::find(set.begin(), set.end(), name) != set.end();
  };
  for (const auto& name : asked.ambient)
    if (!has(asked.permitted, name) || !has(asked.inheritable, name))
      warnings.push_back(fmt::format("{} is not ambient: it is not both permitted and inheritable", name));
}

}  // namespace

Result<void> validate_process(const oci::Process& process, std::vector<std::string>& warnings) {
  if (process.args.empty()) return fail(Code::InvalidArgument, "args must not be empty");
  if (!process.cwd.empty() && !process.cwd.starts_with('/'))
    return fail(Code::InvalidArgument, "Cwd must be an absolute path: \"{}\"", process.cwd);
  TRY(check_rlimits(process.rlimits));
  if (process.scheduler) TRY(check_scheduler(*process.scheduler));
  if (process.io_priority) TRY(check_io_priority(*process.io_priority));
  if (process.oom_score_adj && (*process.oom_score_adj < -1000 || *process.oom_score_adj > 1000))
    return fail(Code::InvalidArgument, "process.oomScoreAdj {} is not in -1000..1000", *process.oom_score_adj);
  if (process.user.umask && *process.user.umask > 0777)
    return fail(Code::InvalidArgument, "process.user.umask {:o} is above 777", *process.user.umask);
  if (process.capabilities) warn_of_ambient(*process.capabilities, warnings);
  return {};
}

Result<void> validate_spec(const oci::Spec& spec) {
  if (!spec.oci_version.starts_with("1."))
    return fail(Code::InvalidArgument, "ociVersion \"{}\" is not supported: this runtime knows 1.x", spec.oci_version);
  if (!spec.process) return fail(Code::InvalidArgument, "process property must not be empty");
  if (!spec.linux_) return fail(Code::InvalidArgument, "the specification has no \"linux\" section");
  bool user_namespace = std::any_of(spec.linux_->namespaces.begin(), spec.linux_->namespaces.end(),
                                    [](const oci::Namespace& ns) { return ns.type == "user"; });
  TRY(check_linux(*spec.linux_, user_namespace));
  for (const auto& mount : spec.mounts) TRY(check_mount(mount, user_namespace));
  if (spec.hooks) TRY(check_all_hooks(*spec.hooks));
  return {};
}

}  // namespace sampan::runtime::internal

namespace sampan::runtime {

Result<void> check_spec(const oci::Spec& spec) {
  std::vector<std::string> warnings;  // told when the container is made
  TRY(internal::validate_spec(spec));
  return internal::validate_process(*spec.process, warnings);
}

}  // namespace sampan::runtime
