#pragma once
// runtime: from an oci::Spec to a running process. Mechanism only: it knows nothing of images, networks or the engine.
//
// Vocabulary
//   container   one set of namespaces and one cgroup around an init process.
//   init        the first process: cloned by create(), set up by a list of named steps, held before execve until
//               start() releases it.
//   step        one entry of the init list; the name of the step that failed is the context of the error that the
//               parent reads from the child ("mount /proc: ...").
//   exec        a further process that joins the namespaces and cgroup of init.
//
// Life: create() -> [created] -> start() -> [running] -> exit -> destroy() removes the cgroup. A failed create() leaves
// nothing behind. The library never blocks on a container's own processes and never writes below its root by path:
// everything inside the root filesystem goes through sys/safe_path (openat2, in-root, no magic links).
//
// A caller that is not root becomes root of a user namespace by create() and exec(), and stays in it (rootless): the
// specification's own new user namespace is that one.
//
// Threads: none of its own. create() and exec() clone the calling process, which must be single-threaded.
// The child never returns into the caller; it uses no locks and no exceptions.

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "oci/spec.h"
#include "oci/user_mappings.h"
#include "sys/fd.h"

namespace sampan::runtime {

/// A classic BPF program as seccomp(2) takes it, 8 bytes an instruction.
using SeccompProgram = std::vector<uint64_t>;

/// Compiles a seccomp section with libseccomp. Blocks: no. Errors: InvalidArgument (unknown action, operator).
/// Unknown system call names are skipped, as every runtime does.
Result<SeccompProgram> compile_seccomp(const oci::Seccomp& seccomp);

/// A user namespace with these mappings, kept by its descriptor. Threads: single-threaded caller.
Result<sys::NsFd> make_user_namespace(const oci::UserMappings& mappings);

/// Below each hierarchy: linux.cgroupsPath, or the id.
std::string cgroup_path_of(const oci::Spec& spec, const std::string& id);
/// What can be refused before anything is made. Errors: InvalidArgument or NotImplemented, naming the member.
Result<void> check_spec(const oci::Spec& spec);
/// The limits of the specification, with the device rules that every container has.
oci::Resources resources_of(const oci::Spec& spec);

/// The state document of the runtime specification (`status`: "creating", "created", "running", "stopped").
struct StateDocument {
  std::string id, status, bundle;
  pid_t pid = 0;
  std::map<std::string, std::string> annotations;
};
std::string format_state(const StateDocument& state);
/// Runs hooks that belong to no create(): poststart, poststop. Threads: single-threaded caller.
Result<void> run_hooks(const char* kind, const std::vector<oci::Hook>& hooks, const std::string& state);

/// The streams of a process; borrowed, -1 is /dev/null. With a terminal all three are ignored and the
/// pseudo-terminal's master comes back in the Process.
struct Stdio {
  int in = -1, out = -1, err = -1;
};

struct CreateOptions {
  std::string id;     // only for messages and the state
  oci::Mount rootfs;  // overlay (lowerdir+=, upperdir=, workdir= options) or bind of a directory; with mappings, the
                      // files keep on disk the ids that they have inside
  std::string user;   // Docker's "user[:group]", looked up in the root filesystem; empty: spec.process.user
  std::vector<std::string> group_add;     // names or numbers, looked up like `user`
  std::optional<SeccompProgram> seccomp;  // compiled; otherwise spec.linux.seccomp is compiled
  std::string cgroup_path;                // below each hierarchy, e.g. "/sampan/<id>"; wins over spec.linux.cgroupsPath
  Stdio stdio;
  std::vector<int> preserve_fds;  // become 3, 4, ... in the container
  bool make_workdir = true;       // create process.cwd in the root filesystem when it is missing
  std::string init_path;          // host path of a static init bound at /sbin/docker-init and run as PID 1; "": none
  bool new_keyring = true;
  bool no_pivot = false;
  bool rootless = false;    // control groups that cannot be made are none, when no limit is asked for
  int start_listener = -1;  // a listening packet socket: init takes its start from there instead (start_over)
  bool trace = false;       // measure the steps: Process::timings
  std::string bundle;       // only for the state that hooks read
  const cgroup::HostCgroups* host_cgroups = nullptr;  // detected once by the caller; nullptr: create() looks itself
};

/// What one step took, by the monotonic clock.
struct StepTime {
  std::string step;
  int64_t nanoseconds = 0;
};

struct Process {
  pid_t pid = 0;
  sys::PidFd pidfd;
  sys::Fd console;                    // master side when the process has a terminal
  std::vector<std::string> warnings;  // what this host could not give (a limit that cannot be raised, ...)
  std::vector<StepTime> timings;      // with `trace`: the steps that are done
};

class Container;

/// Clones and sets up init; it waits before execve. Errors: the failing step's, with Docker's words where the command
/// line client matches them ("executable file not found in $PATH", "permission denied", "no such file or directory").
Result<std::unique_ptr<Container>> create(const oci::Spec& spec, const CreateOptions& options);

/// Starts an init that was created with a start_listener, by a connection to that socket: for a start that comes from
/// another process than the create. Errors: as Container::start().
/// `seccomp`: the specification's section when it has one, for its listener.
Result<void> start_over(sys::Fd connection, const StateDocument& state, const oci::Seccomp* seccomp = nullptr);

struct ExecOptions {
  oci::Process process;
  std::string user;  // as in CreateOptions
  Stdio stdio;
  std::optional<SeccompProgram> seccomp;
  std::vector<int> preserve_fds;
  bool trace = false;                              // as in CreateOptions
  bool detach_cgroup = false;                      // stay in the caller's cgroup
  std::map<std::string, std::string> sub_cgroups;  // join these instead: Cgroup::join_fds_below
  const oci::Linux* section = nullptr;  // the container's: its personality and memory policy are every process's
  std::vector<std::string> group_add;
  std::vector<std::string> seccomp_flags;  // as in oci::Seccomp
  const oci::Seccomp* listener = nullptr;  // the container's section when it has SCMP_ACT_NOTIFY: whom to tell, and
  StateDocument state;                     // what of the container
};

/// Joins what a running init has. `init` is the pid of init, `cgroups` the container's. Threads: single-threaded
/// caller.
Result<Process> exec(pid_t init, const cgroup::Cgroup& cgroups, const ExecOptions& options);

class Container {
 public:
  virtual ~Container() = default;
  virtual Process& init() = 0;
  virtual const cgroup::Cgroup& cgroups() const = 0;
  /// Releases init into execve; returns after execve succeeded, or the child's own error.
  virtual Result<void> start() = 0;
  /// Kills what is left in the cgroup and removes it. An init that never started is reaped; one that did is the
  /// caller's to reap.
  virtual Result<void> destroy() = 0;
};

}  // namespace sampan::runtime
