#pragma once
// What the child between clone and execve works with, and its steps: one facility per file.
//
// The plans are made by the parent before the clone; the child only reads them. Child is the child's own state.
// A step returns an Error and nothing else: the list in init.cc adds the step's name and sends it to the parent.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"
#include "runtime/internal/channel.h"
#include "runtime/internal/mount_options.h"
#include "runtime/internal/users.h"
#include "runtime/runtime.h"
#include "sys/credentials.h"
#include "sys/fd.h"
#include "sys/mount.h"

namespace sampan::runtime::internal {

/// A namespace to enter before anything else is set up.
struct NamespaceJoin {
  sys::Fd fd;
  uint64_t type = 0;
};

/// A mount whose source the parent has already opened (bind mounts: by the host's paths, with the host's rights).
struct PreparedMount {
  const oci::Mount* mount = nullptr;
  MountOptions options;
  sys::MountFd source;  // valid for bind mounts: detached, attributes applied
};

/// Host device nodes, for containers that may not make their own.
struct PreparedDevice {
  oci::Device device;
  sys::MountFd source;  // valid when it is bound
};

/// How the process itself shall be; the same for init and for exec.
struct ProcessPlan {
  const oci::Process* process = nullptr;
  std::string user;
  std::vector<std::string> group_add;
  Stdio stdio;
  std::vector<int> preserve_fds;
  std::span<const uint64_t> seccomp;  // empty: none
  unsigned seccomp_flags = 0;
  bool make_workdir = false;
  int start_listener = -1;
  bool new_keyring = false;
  bool no_setgroups = false;  // the user namespace refuses it
  bool trace = false;         // tell the parent what each step took
  std::string keyring_name;
  std::vector<std::string> args;
  std::vector<sys::Fd> cgroup_files;  // to write "0" into
  sys::Fd null;                       // the host's /dev/null when a stream needs it
  sys::CapabilityMask bounding = 0, effective = 0, permitted = 0, inheritable = 0, ambient = 0;
  const oci::Personality* personality = nullptr;
  const oci::MemoryPolicy* memory_policy = nullptr;

  /// What every process of a container has from the container's section.
  void hold(const oci::Linux& section) {
    personality = section.personality ? &*section.personality : nullptr;
    memory_policy = section.memory_policy ? &*section.memory_policy : nullptr;
  }
};

/// What a new container has beyond its process.
struct ContainerPlan {
  const oci::Spec* spec = nullptr;
  uint64_t new_namespaces = 0;       // made by clone
  uint64_t late_namespaces = 0;      // unshared by the child itself: cgroup, and time with offsets
  std::vector<NamespaceJoin> joins;  // without the pid namespace, which the parent joins for it
  bool user_namespace = false;       // new or joined
  bool own_mount_namespace = true;   // false: joined by path, no root filesystem is set up
  sys::MountFd rootfs;
  std::vector<PreparedMount> mounts;
  std::vector<PreparedDevice> devices;
  sys::MountFd init_program;                                       // bound at /sbin/docker-init when valid
  std::vector<std::pair<std::string, sys::MountFd>> cgroup_binds;  // name below /sys/fs/cgroup ("" is itself)
  std::vector<std::pair<std::string, std::string>> cgroup_links;   // link name, target
  bool no_pivot = false;
};

/// How an exec'd process finds its container.
struct JoinPlan {
  const sys::PidFd* init = nullptr;
  uint64_t namespaces = 0;  // those in which init differs from us, without pid
  sys::DirFd root;          // init's root directory
};

struct Child {
  const ProcessPlan& process;
  const ContainerPlan* container;  // nullptr for exec
  const JoinPlan* join;            // nullptr for init
  Channel& channel;
  sys::DirFd root;    // the root filesystem's top
  sys::MountFd proc;  // a procfs of our own, attached nowhere; made when first needed
  Identity identity;
  std::vector<std::string> env;
  sys::Fd terminal;             // slave side
  bool workdir_denied = false;  // root of this namespace may not enter it, the user perhaps may
  std::string program;          // resolved path of the executable
  std::string state;            // the state document, for hooks
  bool wants(uint64_t ns) const { return container && ((container->new_namespaces | container->late_namespaces) & ns); }
};

struct InitStep {
  const char* name;
  Result<void> (*run)(Child&);
};

// namespaces.cc
Result<void> protect_process(Child&);
Result<void> join_cgroups(Child&);
Result<void> join_namespaces(Child&);
Result<void> become_mapped_root(Child&);
Result<void> set_up_network(Child&);
Result<void> set_names(Child&);
// rootfs.cc
Result<void> isolate_mounts(Child&);
Result<void> open_joined_root(Child&);
Result<void> attach_rootfs(Child&);
Result<void> enter_rootfs(Child&);
Result<void> finish_rootfs(Child&);
// mounts.cc, devices.cc, masks.cc
Result<void> mount_all(Child&);
Result<void> mount_cgroups(Child&, const PreparedMount&);
Result<void> make_devices(Child&);
Result<void> mask_paths(Child&);
// sysctl.cc
Result<void> write_sysctls(Child&);
/// The child's own procfs. Everything the child writes in /proc goes through it, never through the container's.
Result<int> private_proc(Child&);
// console.cc
Result<void> make_console(Child&);
Result<void> wire_stdio(Child&);
// user.cc, rlimits.cc, caps.cc, lsm.cc
Result<void> resolve_identity(Child&);
Result<void> make_workdir(Child&);
Result<void> enter_workdir(Child&);
Result<void> set_limits(Child&);
Result<void> apply_labels(Child&);
Result<void> drop_privileges(Child&);
Result<void> finish_privileges(Child&);
// exec_path.cc
Result<void> find_program(Child&);
// hooks
Result<void> wait_for_hooks(Child&);
Result<void> report_ready(Child&);
Result<void> run_start_hooks(Child&);
Result<void> look_for_caller(Child&);
Result<void> close_descriptors(Child&);
Result<void> limit_open_files(Child&);

/// Runs the steps and then the program. Never returns.
[[noreturn]] void run_child(Child& child, std::span<const InitStep> steps);
std::span<const InitStep> init_steps();
std::span<const InitStep> exec_steps();

/// Puts a detached mount onto a path inside the root, making the mount point; see mounts.cc for what it refuses.
Result<void> attach_in_root(Child& child, const sys::MountFd& mount, const std::string& destination,
                            const std::string& type);
/// Copies what a directory holds into an empty one ("tmpcopyup"). Bounded in depth; never follows links.
Result<void> copy_directory(int from, int to, int depth = 0);

}  // namespace sampan::runtime::internal
