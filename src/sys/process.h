#pragma once
// sys/process: making processes and namespaces, waiting for and signalling processes by descriptor, and the process
// attributes that prctl(2) and its relatives set.
//
// Source: clone(2) "clone3", pidfd_open(2), setns(2), prctl(2), close_range(2), keyctl(2).

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// Namespace flags, the kernel's CLONE_NEW*.
namespace ns {
inline constexpr uint64_t kTime = 0x80, kMount = 0x20000, kCgroup = 0x2000000, kUts = 0x4000000, kIpc = 0x8000000,
                          kUser = 0x10000000, kPid = 0x20000000, kNet = 0x40000000;
/// By the name in /proc/<pid>/ns ("mnt", "net", ...); 0 when unknown.
uint64_t flag_of_proc_name(std::string_view name);
}  // namespace ns

struct CloneOptions {
  uint64_t namespaces = 0;
  int cgroup = -1;       // v2 directory to be born in
  bool sibling = false;  // CLONE_PARENT: the caller's parent becomes the parent
};
struct Child {
  pid_t pid = 0;  // 0 in the child
  PidFd pidfd;    // valid in the parent
};
/// fork(2) with namespaces: copy-on-write memory, SIGCHLD at exit. Returns twice.
/// Threads: single-threaded caller.
/// Errors:  ENOSYS on kernels without clone3, for a cgroup and for a time namespace.
Result<Child> clone_process(const CloneOptions& options);
/// Whether clone_process() had to do without clone3, in this process or in one that it is a clone of.
bool met_old_kernel();

Result<PidFd> open_pidfd(pid_t pid);
Result<void> send_signal(const PidFd& process, int signal);
bool is_running(const PidFd& process);
/// A duplicate of a descriptor of another process. Errors: PermissionDenied without ptrace rights over it.
Result<Fd> take_descriptor(const PidFd& process, int number);
/// Waits until it has exited. false: the time ran out.
Result<bool> wait_exited(const PidFd& process, std::chrono::milliseconds patience);

/// {read end, write end}, close-on-exec.
Result<std::pair<Fd, Fd>> make_pipe();

struct ExitStatus {
  int code = 0;  // exit status, meaningful when signal is 0
  int signal = 0;
  int shell_code() const { return signal ? 128 + signal : code; }
};
/// Reaps a child. Blocks until it has exited.
Result<ExitStatus> reap(pid_t pid);

/// By a namespace's descriptor or by a process's. On kernels before 5.8 the latter is not atomic.
Result<void> set_namespaces(int fd, uint64_t flags);
Result<void> unshare_namespaces(uint64_t flags);
/// The type (CLONE_NEW* flag) of the namespace behind a descriptor. Errors: ENOTTY when it is none.
Result<uint64_t> namespace_type(int fd);

/// Marks every descriptor from `first` on close-on-exec.
Result<void> close_on_exec_from(unsigned first);
Result<void> set_dumpable(bool dumpable);
Result<void> set_no_new_privileges();
void set_process_name(const char* name);
/// A fresh session keyring that nobody else has.
Result<void> join_new_session_keyring(const std::string& name);
Result<void> set_personality(unsigned long persona);

struct ResourceLimit {
  uint64_t soft = 0, hard = 0;
};
/// By number of RLIMIT_*. nullopt from resource_of_name: unknown.
std::optional<int> resource_of_name(std::string_view name);
Result<void> set_resource_limit(int resource, ResourceLimit limit);
Result<ResourceLimit> get_resource_limit(int resource);

Result<void> set_io_priority(int clazz, int priority);
Result<void> set_scheduler(std::string_view policy, int nice, int priority, uint64_t flags, uint64_t runtime,
                           uint64_t deadline, uint64_t period);
/// set_mempolicy(2) by the names of its header: "MPOL_BIND", nodes "0-1,3", flags "MPOL_F_STATIC_NODES".
Result<void> set_memory_policy(std::string_view mode, std::string_view nodes, std::span<const std::string> flags);
Result<void> set_cpu_affinity(std::string_view cpu_list);

/// IPv4 and IPv6 loopback of the calling process's network namespace.
Result<void> bring_loopback_up();
Result<void> set_host_name(const std::string& name);
Result<void> set_domain_name(const std::string& name);

/// Runs the file behind the descriptor. Returns only on failure.
Error execute_fd(int fd, char* const* argv, char* const* envp);
/// Makes sure that the running program cannot be overwritten through /proc/<pid>/exe by whoever it will run
/// (CVE-2019-5736): runs it again from a private read-only mount of its own file, or from a sealed copy in memory.
/// Returns at once when that is already so.
Result<void> seal_own_program(char** argv, char** envp);

}  // namespace sampan::sys
