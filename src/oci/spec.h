#pragma once
// oci/spec: the OCI runtime specification's config.json as values. Member names are the specification's, in snake_case.
// Source: runtime-spec 1.2 config.md, config-linux.md.

#include <boost/describe/class.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json_style.h"

namespace sampan::oci {

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::optional<uint32_t> umask;
  std::vector<uint32_t> additional_gids;
};
struct ConsoleSize {
  uint32_t height = 0;
  uint32_t width = 0;
};
struct Capabilities {
  std::vector<std::string> bounding, effective, inheritable, permitted, ambient;  // "CAP_CHOWN", ...
};
struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  uint64_t soft = 0;
  uint64_t hard = 0;
};
struct Scheduler {
  std::string policy;
  int32_t nice = 0;
  int32_t priority = 0;
  std::vector<std::string> flags;
  uint64_t runtime = 0, deadline = 0, period = 0;  // nanoseconds
};
struct IoPriority {
  std::string clazz;  // "class" in JSON
  int32_t priority = 0;
};
struct CpuAffinity {
  std::string initial, final_;
};
struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  std::optional<Capabilities> capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::string apparmor_profile;
  std::optional<int32_t> oom_score_adj;
  std::string selinux_label;
  std::optional<Scheduler> scheduler;
  std::optional<IoPriority> io_priority;
  std::optional<CpuAffinity> exec_cpu_affinity;
};
struct Root {
  std::string path;
  bool readonly = false;
};
struct IdMapping {
  uint32_t container_id = 0;
  uint32_t host_id = 0;
  uint32_t size = 0;
};
/// The currency between storage (which emits them) and runtime (which applies them).
struct Mount {
  std::string destination;
  std::string type;  // "bind", "overlay", "proc", ...
  std::string source;
  std::vector<std::string> options;  // "ro", "nosuid", "rprivate", "lowerdir+=/path", ...
  std::vector<IdMapping> uid_mappings, gid_mappings;
};
struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int64_t> timeout;  // seconds
};
struct Hooks {
  std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart, poststop;
};
struct Device {
  std::string path;
  std::string type;  // "c", "b", "u", "p"
  int64_t major = 0, minor = 0;
  std::optional<uint32_t> file_mode;
  std::optional<uint32_t> uid, gid;
};
struct DeviceRule {
  bool allow = false;
  std::string type;                     // "a", "c", "b"; empty is "a"
  std::optional<int64_t> major, minor;  // nullopt is any
  std::string access;                   // of "rwm"
};
struct MemoryLimits {
  std::optional<int64_t> limit, reservation, swap, kernel, kernel_tcp;  // bytes, -1 unlimited; swap is memory+swap
  std::optional<uint64_t> swappiness;
  std::optional<bool> disable_oom_killer, use_hierarchy, check_before_update;
};
struct CpuLimits {
  std::optional<uint64_t> shares;
  std::optional<int64_t> quota;           // microseconds
  std::optional<uint64_t> burst, period;  // microseconds
  std::optional<int64_t> realtime_runtime;
  std::optional<uint64_t> realtime_period;
  std::string cpus, mems;
  std::optional<int64_t> idle;
};
struct PidsLimit {
  int64_t limit = 0;
};
struct WeightDevice {
  int64_t major = 0, minor = 0;
  std::optional<uint16_t> weight, leaf_weight;
};
struct ThrottleDevice {
  int64_t major = 0, minor = 0;
  uint64_t rate = 0;
};
struct BlockIo {
  std::optional<uint16_t> weight, leaf_weight;
  std::vector<WeightDevice> weight_device;
  std::vector<ThrottleDevice> throttle_read_bps_device, throttle_write_bps_device, throttle_read_iops_device,
      throttle_write_iops_device;
};
struct HugepageLimit {
  std::string page_size;
  uint64_t limit = 0;
};
struct InterfacePriority {
  std::string name;
  uint32_t priority = 0;
};
struct NetworkLimits {
  std::optional<uint32_t> class_id;
  std::vector<InterfacePriority> priorities;
};
struct RdmaLimit {
  std::optional<uint32_t> hca_handles, hca_objects;
};
struct Resources {
  std::vector<DeviceRule> devices;
  std::optional<MemoryLimits> memory;
  std::optional<CpuLimits> cpu;
  std::optional<PidsLimit> pids;
  std::optional<BlockIo> block_io;
  std::vector<HugepageLimit> hugepage_limits;
  std::optional<NetworkLimits> network;
  std::map<std::string, RdmaLimit> rdma;
  std::map<std::string, std::string> unified;
};
struct Namespace {
  std::string type;  // "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"
  std::string path;  // empty: create a new one
};
struct SeccompArg {
  uint32_t index = 0;
  uint64_t value = 0;
  uint64_t value_two = 0;
  std::string op;  // "SCMP_CMP_EQ", ...
};
struct SeccompRule {
  std::vector<std::string> names;
  std::string action;  // "SCMP_ACT_ALLOW", ...
  std::optional<uint32_t> errno_ret;
  std::vector<SeccompArg> args;
};
struct Seccomp {
  std::string default_action;
  std::optional<uint32_t> default_errno_ret;
  std::vector<std::string> architectures;  // "SCMP_ARCH_X86_64", ...
  std::vector<std::string> flags;
  std::string listener_path, listener_metadata;
  std::vector<SeccompRule> syscalls;
};
struct Personality {
  std::string domain;
  std::vector<std::string> flags;
};
struct IntelRdt {
  std::string clos_id, l3_cache_schema, mem_bw_schema;
};
struct MemoryPolicy {
  std::string mode;  // "MPOL_BIND", ...
  std::string nodes;
  std::vector<std::string> flags;  // "MPOL_F_STATIC_NODES", ...
};
struct TimeOffset {
  int64_t secs = 0;
  uint32_t nanosecs = 0;
};
struct Linux {
  std::vector<IdMapping> uid_mappings, gid_mappings;
  std::map<std::string, std::string> sysctl;
  std::optional<Resources> resources;
  std::string cgroups_path;
  std::vector<Namespace> namespaces;
  std::vector<Device> devices;
  std::optional<Seccomp> seccomp;
  std::string rootfs_propagation;
  std::vector<std::string> masked_paths, readonly_paths;
  std::string mount_label;
  std::optional<Personality> personality;
  std::map<std::string, TimeOffset> time_offsets;
  std::optional<IntelRdt> intel_rdt;
  std::optional<MemoryPolicy> memory_policy;
};
struct Spec {
  std::string oci_version = "1.2.0";
  std::optional<Process> process;
  std::optional<Root> root;
  std::string hostname, domainname;
  std::vector<Mount> mounts;
  std::optional<Hooks> hooks;
  std::map<std::string, std::string> annotations;
  std::optional<Linux> linux_;
};

/// Errors: InvalidArgument naming the member.
Result<Spec> parse_spec(std::string_view json);
std::string format_spec(const Spec& spec);
Result<Process> parse_process(std::string_view json);
Result<Resources> parse_resources(std::string_view json);

BOOST_DESCRIBE_STRUCT(User, (), (uid, gid, umask, additional_gids))
BOOST_DESCRIBE_STRUCT(ConsoleSize, (), (height, width))
BOOST_DESCRIBE_STRUCT(Capabilities, (), (bounding, effective, inheritable, permitted, ambient))
BOOST_DESCRIBE_STRUCT(Rlimit, (), (type, soft, hard))
BOOST_DESCRIBE_STRUCT(Scheduler, (), (policy, nice, priority, flags, runtime, deadline, period))
BOOST_DESCRIBE_STRUCT(IoPriority, (), (clazz, priority))
BOOST_DESCRIBE_STRUCT(CpuAffinity, (), (initial, final_))
BOOST_DESCRIBE_STRUCT(Process, (),
                      (terminal, console_size, user, args, env, cwd, capabilities, rlimits, no_new_privileges,
                       apparmor_profile, oom_score_adj, selinux_label, scheduler, io_priority, exec_cpu_affinity))
BOOST_DESCRIBE_STRUCT(Root, (), (path, readonly))
BOOST_DESCRIBE_STRUCT(IdMapping, (), (container_id, host_id, size))
BOOST_DESCRIBE_STRUCT(Mount, (), (destination, type, source, options, uid_mappings, gid_mappings))
BOOST_DESCRIBE_STRUCT(Hook, (), (path, args, env, timeout))
BOOST_DESCRIBE_STRUCT(Hooks, (), (prestart, create_runtime, create_container, start_container, poststart, poststop))
BOOST_DESCRIBE_STRUCT(Device, (), (path, type, major, minor, file_mode, uid, gid))
BOOST_DESCRIBE_STRUCT(DeviceRule, (), (allow, type, major, minor, access))
BOOST_DESCRIBE_STRUCT(MemoryLimits, (),
                      (limit, reservation, swap, kernel, kernel_tcp, swappiness, disable_oom_killer, use_hierarchy,
                       check_before_update))
BOOST_DESCRIBE_STRUCT(CpuLimits, (),
                      (shares, quota, burst, period, realtime_runtime, realtime_period, cpus, mems, idle))
BOOST_DESCRIBE_STRUCT(PidsLimit, (), (limit))
BOOST_DESCRIBE_STRUCT(WeightDevice, (), (major, minor, weight, leaf_weight))
BOOST_DESCRIBE_STRUCT(ThrottleDevice, (), (major, minor, rate))
BOOST_DESCRIBE_STRUCT(BlockIo, (),
                      (weight, leaf_weight, weight_device, throttle_read_bps_device, throttle_write_bps_device,
                       throttle_read_iops_device, throttle_write_iops_device))
BOOST_DESCRIBE_STRUCT(HugepageLimit, (), (page_size, limit))
BOOST_DESCRIBE_STRUCT(InterfacePriority, (), (name, priority))
BOOST_DESCRIBE_STRUCT(NetworkLimits, (), (class_id, priorities))
BOOST_DESCRIBE_STRUCT(RdmaLimit, (), (hca_handles, hca_objects))
BOOST_DESCRIBE_STRUCT(Resources, (), (devices, memory, cpu, pids, block_io, hugepage_limits, network, rdma, unified))
BOOST_DESCRIBE_STRUCT(Namespace, (), (type, path))
BOOST_DESCRIBE_STRUCT(SeccompArg, (), (index, value, value_two, op))
BOOST_DESCRIBE_STRUCT(SeccompRule, (), (names, action, errno_ret, args))
BOOST_DESCRIBE_STRUCT(Seccomp, (),
                      (default_action, default_errno_ret, architectures, flags, listener_path, listener_metadata,
                       syscalls))
BOOST_DESCRIBE_STRUCT(Personality, (), (domain, flags))
BOOST_DESCRIBE_STRUCT(IntelRdt, (), (clos_id, l3_cache_schema, mem_bw_schema))
BOOST_DESCRIBE_STRUCT(MemoryPolicy, (), (mode, nodes, flags))
BOOST_DESCRIBE_STRUCT(TimeOffset, (), (secs, nanosecs))
BOOST_DESCRIBE_STRUCT(Linux, (),
                      (uid_mappings, gid_mappings, sysctl, resources, cgroups_path, namespaces, devices, seccomp,
                       rootfs_propagation, masked_paths, readonly_paths, mount_label, personality, time_offsets,
                       intel_rdt, memory_policy))
BOOST_DESCRIBE_STRUCT(Spec, (), (oci_version, process, root, hostname, domainname, mounts, hooks, annotations, linux_))

namespace internal {
inline constexpr codec::JsonName kSpecNames[] = {{"console_size", "consoleSize"},
                                                 {"clazz", "class"},
                                                 {"clos_id", "closID"},
                                                 {"final_", "final"},
                                                 {"linux_", "linux"},
                                                 {"container_id", "containerID"},
                                                 {"host_id", "hostID"},
                                                 {"uid_mappings", "uidMappings"},
                                                 {"kernel_tcp", "kernelTCP"},
                                                 {"disable_oom_killer", "disableOOMKiller"},
                                                 {"block_io", "blockIO"},
                                                 {"throttle_read_iops_device", "throttleReadIOPSDevice"},
                                                 {"throttle_write_iops_device", "throttleWriteIOPSDevice"},
                                                 {"class_id", "classID"},
                                                 {"io_priority", "ioPriority"},
                                                 {"exec_cpu_affinity", "execCPUAffinity"},
                                                 {"oom_score_adj", "oomScoreAdj"}};
inline constexpr codec::JsonStyle kSpecStyle{codec::Naming::Camel, codec::Emit::NonEmpty, kSpecNames};
// `allow`, `limit`, `uid` and their like mean something when they are zero.
inline constexpr codec::JsonStyle kSpecStyleAll{codec::Naming::Camel, codec::Emit::All, kSpecNames};
}  // namespace internal

template <typename T>
concept ZeroMatters =
    std::is_same_v<T, User> || std::is_same_v<T, DeviceRule> || std::is_same_v<T, PidsLimit> ||
    std::is_same_v<T, IdMapping> || std::is_same_v<T, Rlimit> || std::is_same_v<T, Device> ||
    std::is_same_v<T, SeccompArg> || std::is_same_v<T, WeightDevice> || std::is_same_v<T, ThrottleDevice>;
template <typename T>
constexpr codec::JsonStyle json_style(const T*) {
  if constexpr (ZeroMatters<T>)
    return internal::kSpecStyleAll;
  else
    return internal::kSpecStyle;
}

}  // namespace sampan::oci
