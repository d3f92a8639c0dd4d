#pragma once
// sys/old_process: what sys/process and sys/child do where the kernel has no clone3, pidfd_open, close_range or setns
// by pidfd. FALLBACK(linux<5.9)
//
// Without pidfd_open a PidFd is the directory /proc/<pid>, opened for reading. It names one process as a pidfd does:
// once that is reaped, nothing can be looked up in it, whoever has the number then. Since Linux 5.1
// pidfd_send_signal() takes it; before, there is a moment between the look and the kill() in which the process may be
// reaped. No event loop can watch it: wait_exited() looks again and again.
//
// Threads: as in sys/process.h.
// Source: clone(2), pidfd_send_signal(2), proc_pid_stat(5).

#include <sys/types.h>

#include <chrono>

#include "base/result.h"
#include "sys/process.h"

namespace sampan::sys {

/// clone_process() by clone(2). Errors: ENOSYS for a cgroup to be born in, and for a time namespace.
Result<Child> clone_by_clone(const CloneOptions& options);
Result<PidFd> open_proc_dir(pid_t pid);
/// The number of the process behind a pidfd or a /proc/<pid>, in the procfs of /proc. Errors: ESRCH once it is reaped,
/// and for other descriptors.
Result<pid_t> pid_of(int process);
/// By a look at its state: for descriptors that poll() knows nothing about.
bool is_running_by_state(int process);
bool wait_exited_by_state(int process, std::chrono::milliseconds patience);
Result<void> kill_by_number(int process, int signal);
/// setns() one by one. Not atomic: an error leaves the caller between the namespaces.
Result<void> set_namespaces_one_by_one(int process, uint64_t flags);
/// Those that /proc/self/fd lists. Errors: PermissionDenied when that is no procfs.
Result<void> close_on_exec_by_list(unsigned first);

}  // namespace sampan::sys
