#pragma once
// container/plan: the pure steps from what was asked to what the runtime is told. No I/O, no clock, no environment:
// everything about the host comes in as facts, so every plan has golden tests.
//
//   ContainerSpec + image        --make_record-->        ContainerRecord
//   config + other containers    --plan_mounts-->        MountPlans        (the engine resolves volumes and sources)
//   ContainerRecord + facts      --make_runtime_spec-->  oci::Spec

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cgroup/cgroup.h"
#include "container/record.h"
#include "container/spec.h"
#include "image/image.h"
#include "logs/logs.h"
#include "oci/spec.h"
#include "oci/user_mappings.h"

namespace sampan::container {

struct RecordFacts {
  std::string id;             // 64 hexadecimal digits
  std::string name;           // chosen by the engine when the client gave none
  std::string created;        // RFC 3339
  std::string directory;      // containers/<id>
  uint32_t cpus = 1;          // for the check of --cpus and --cpuset-cpus
  uint32_t memory_nodes = 0;  // of --cpuset-mems; 0: not known
};

/// Validates the request and merges it with its image (null: none needed). `warnings` are for the client.
/// Errors: InvalidArgument with Docker's words; NotImplemented naming a HostConfig field that has no effect here.
Result<ContainerRecord> make_record(const ContainerSpec& spec, const image::ImageRecord* image,
                                    const RecordFacts& facts, std::vector<std::string>& warnings);
/// What the image says and `config` does not: Docker's rules for each member.
void merge_image(const oci::ImageConfig& image, ContainerConfig& config);
/// What cannot be had in a user namespace. Errors: InvalidArgument with Docker's words.
Result<void> validate_user_namespace(const HostConfig& host);
/// The checks of make_record on one endpoint, for connect. Errors: NotImplemented naming a member without effect here.
Result<void> validate_endpoint(const EndpointSettings& settings);
/// The checks of make_record on resources alone, for update.
Result<void> validate_resources(const Resources& resources, uint32_t cpus);

/// One mount that the user or the image asked for.
struct MountPlan {
  MountPoint point;            // source empty for a volume until the engine has created it
  bool anonymous = false;      // a volume without a name
  bool no_copy = false;        // do not fill a new volume from the image
  bool create_source = false;  // -v makes a missing directory, --mount does not
  bool from_other = false;     // --volumes-from: the source is final
  bool read_only_non_recursive = false;
  bool non_recursive = false;
  std::string subpath;
  std::map<std::string, std::string> labels, driver_options;
  std::vector<std::string> tmpfs_options;
};
/// Binds, Mounts, Tmpfs, image volumes and other containers' mounts, each destination once, parents before children.
/// Errors: InvalidArgument (`invalid volume specification`, `Duplicate mount point: /x`, ...), NotImplemented (type).
Result<std::vector<MountPlan>> plan_mounts(const ContainerConfig& config, const HostConfig& host,
                                           std::span<const MountPoint> volumes_from);
/// The mount of a resolved plan.
oci::Mount runtime_mount(const MountPlan& plan);

/// Facts about the host and the moment that make_runtime_spec needs.
struct RuntimeFacts {
  cgroup::Version cgroup_version = cgroup::Version::V1;
  uint32_t possible_cpus = 1;
  std::vector<oci::Mount> mounts;                      // of the plans, resolved
  std::map<std::string, std::string> namespace_paths;  // "network", "ipc", "pid", "user" of container:ID modes
  oci::UserMappings user_mappings;                     // empty: no user namespace
  std::vector<oci::Device> host_devices;               // every node of the host, for --privileged
  std::map<std::string, std::vector<oci::Device>>
      mapped_devices;  // by DeviceMapping.path_on_host, directories expanded
  std::map<std::string, std::pair<int64_t, int64_t>> device_numbers;  // block devices named by the blkio options
  bool host_mqueue = false;                                           // the host has /dev/mqueue
  bool join_network = false;                                          // the shim brings the namespace as a descriptor
  bool seccomp_available = true;
};
/// Docker's default sandbox around the record (capabilities, devices, masks, mounts, limits), widened as asked.
/// The user is not resolved here: the runtime looks it up inside the root filesystem.
Result<oci::Spec> make_runtime_spec(const ContainerRecord& record, const RuntimeFacts& facts);
/// What changes in the cgroup, for a running container's update.
oci::Resources make_resources(const HostConfig& host, const RuntimeFacts& facts);
/// What is hidden, or read-only, in a container that is neither privileged nor asked for paths of its own.
std::vector<std::string> default_masked_paths();
std::vector<std::string> default_readonly_paths();
/// The process of an exec in the container.
oci::Process make_exec_process(const ContainerRecord& record, const std::vector<std::string>& cmd,
                               const std::vector<std::string>& env, const std::string& working_dir, bool tty,
                               bool privileged);
/// The seccomp section for the record; nullopt: unconfined.
Result<std::optional<oci::Seccomp>> make_seccomp(const ContainerRecord& record);

/// The 14 default capabilities changed by cap_add and cap_drop ("ALL", with or without "CAP_").
/// Errors: InvalidArgument `invalid CapAdd: unknown capability: "CAP_X"`.
Result<std::vector<std::string>> plan_capabilities(const HostConfig& host);
/// Docker's default profile for this architecture, with the rules that the capabilities unlock.
oci::Seccomp default_seccomp(std::span<const std::string> capabilities);

/// Where the container's driver writes; inspect shows record.log_path, which is json-file's alone.
std::string log_file(const ContainerRecord& record);
/// The log writer's options from HostConfig.LogConfig (max-size, max-file, compress, mode, labels, env, tag, ...).
/// Errors: InvalidArgument (unknown option, named), NotImplemented (driver).
Result<logs::WriterOptions> plan_log(const ContainerRecord& record, const std::string& path);

// --- the three files that the engine owns in every container ------------------------------------------------------
struct HostsEntry {
  std::string address;
  std::vector<std::string> names;
};
/// `host_gateway`: one address, or one of each family with a comma between them; "" is none.
/// Errors: InvalidArgument (a --add-host that is not name:address).
Result<std::string> format_hosts(const ContainerRecord& record, std::span<const HostsEntry> own,
                                 const std::string& host_gateway);
/// `host` is the host's resolv.conf; `nameserver`, when not empty, replaces its servers; options of the container win.
std::string format_resolv_conf(const HostConfig& config, std::string_view host, const std::string& nameserver);

/// "SIGTERM", "TERM" or "15". Errors: InvalidArgument `invalid signal: x`.
Result<int> parse_signal(std::string_view text);
/// The signal that stop sends: of the config, default SIGTERM.
int stop_signal(const ContainerConfig& config);

}  // namespace sampan::container
