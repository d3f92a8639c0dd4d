#include "sys/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "sys/error.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/old_process.h"

namespace sampan::sys {
namespace {

bool old_kernel = false;  // a process and those that it clones are single-threaded when they ask

}  // namespace

bool met_old_kernel() {
  return old_kernel;
}

uint64_t ns::flag_of_proc_name(std::string_view name) {
  static constexpr std::pair<std::string_view, uint64_t> kNames[] = {
      {"mnt", kMount}, {"net", kNet},   {"pid", kPid},       {"ipc", kIpc},
      {"uts", kUts},   {"user", kUser}, {"cgroup", kCgroup}, {"time", kTime}};
  for (const auto& [known, flag] : kNames)
    if (known == name) return flag;
  return 0;
}

Result<Child> clone_process(const CloneOptions& options) {
  int pidfd = -1;
  clone_args args = {};
  args.flags = options.namespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (options.sibling) {
    args.flags |= CLONE_PARENT;
    args.exit_signal = 0;  // the parent's own choice is inherited
  }
  if (options.cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(options.cgroup);
  }
  long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0 && errno == ENOSYS) {
    old_kernel = true;
    return clone_by_clone(options);
  }
  if (pid < 0) return sys_error("clone3");
  if (pid == 0) return Child{};
  return Child{static_cast<pid_t>(pid), PidFd(pidfd)};
}

Result<PidFd> open_pidfd(pid_t pid) {
  long fd = ::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0 && errno == ENOSYS) return open_proc_dir(pid);
  if (fd < 0) return sys_error("pidfd_open", std::to_string(pid));
  return PidFd(static_cast<int>(fd));
}

Result<void> send_signal(const PidFd& process, int signal) {
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0) return {};
  if (errno == ENOSYS) return kill_by_number(process.get(), signal);
  return sys_error("pidfd_send_signal");
}

Result<Fd> take_descriptor(const PidFd& process, int number) {
  long fd = ::syscall(SYS_pidfd_getfd, process.get(), number, 0);
  if (fd < 0) return sys_error("pidfd_getfd", std::to_string(number));
  return Fd(static_cast<int>(fd));
}

bool is_running(const PidFd& process) {
  pollfd entry{process.get(), POLLIN | POLLOUT, 0};
  int ready;
  do {
    ready = ::poll(&entry, 1, 0);
  } while (ready < 0 && errno == EINTR);
  if (entry.revents & POLLOUT)
    return is_running_by_state(process.get());  // no pidfd that poll() knows is ever writable
  return ready == 0;
}

Result<bool> wait_exited(const PidFd& process, std::chrono::milliseconds patience) {
  pollfd entry{process.get(), POLLIN | POLLOUT, 0};
  int n;
  do {
    n = ::poll(&entry, 1, static_cast<int>(patience.count()));
  } while (n < 0 && errno == EINTR);
  if (n < 0) return sys_error("poll");
  if (entry.revents & POLLOUT) return wait_exited_by_state(process.get(), patience);
  return n > 0;
}

Result<std::pair<Fd, Fd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return sys_error("pipe");
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<ExitStatus> reap(pid_t pid) {
  int status = 0;
  pid_t got;
  do {
    got = ::waitpid(pid, &status, __WALL);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return sys_error("waitpid", std::to_string(pid));
  ExitStatus out;
  if (WIFSIGNALED(status))
    out.signal = WTERMSIG(status);
  else
    out.code = WEXITSTATUS(status);
  return out;
}

Result<void> set_namespaces(int fd, uint64_t flags) {
  if (::syscall(SYS_setns, fd, static_cast<int>(flags)) == 0) return {};
  Error error = sys_error("setns");
  // FALLBACK(linux<5.8): EINVAL may say that the kernel takes descriptors of namespaces only.
  if (error.errno_value() == EINVAL && pid_of(fd)) return set_namespaces_one_by_one(fd, flags);
  return error;
}

Result<void> unshare_namespaces(uint64_t flags) {
  if (::syscall(SYS_unshare, static_cast<unsigned long>(flags)) < 0) return sys_error("unshare");
  return {};
}

Result<uint64_t> namespace_type(int fd) {
  int type = ::ioctl(fd, NS_GET_NSTYPE);
  if (type < 0) return sys_error("ioctl NS_GET_NSTYPE");
  return static_cast<uint64_t>(static_cast<unsigned>(type));
}

Result<void> close_on_exec_from(unsigned first) {
  if (::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return {};
  // FALLBACK(linux<5.11): EINVAL says that the flag is not known.
  if (errno == ENOSYS || errno == EINVAL) return close_on_exec_by_list(first);
  return sys_error("close_range");
}

Result<void> set_dumpable(bool dumpable) {
  if (::prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0) < 0) return sys_error("prctl PR_SET_DUMPABLE");
  return {};
}

Result<void> set_no_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return sys_error("prctl PR_SET_NO_NEW_PRIVS");
  return {};
}

void set_process_name(const char* name) {
  (void)::prctl(PR_SET_NAME, name, 0, 0, 0);
}  // a nicety for ps

Result<void> join_new_session_keyring(const std::string& name) {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str(), 0, 0, 0) < 0)
    return sys_error("keyctl join session keyring", name);
  return {};
}

Result<void> set_personality(unsigned long persona) {
  if (::personality(persona) < 0) return sys_error("personality");
  return {};
}

Result<void> set_host_name(const std::string& name) {
  if (::sethostname(name.data(), name.size()) < 0) return sys_error("sethostname", name);
  return {};
}

Result<void> set_domain_name(const std::string& name) {
  if (::setdomainname(name.data(), name.size()) < 0) return sys_error("setdomainname", name);
  return {};
}

Error execute_fd(int fd, char* const* argv, char* const* envp) {
  ::syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
  return sys_error("execveat");
}

namespace {

/// A sealed copy in memory. FALLBACK(no CAP_SYS_ADMIN): costs a copy of the whole program.
Result<Fd> sealed_copy(int program) {
  int raw = ::memfd_create("sampan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (raw < 0) return sys_error("memfd_create");
  Fd copy(raw);
  for (;;) {
    ssize_t n = ::sendfile(raw, program, nullptr, 1 << 20);
    if (n < 0) return sys_error("sendfile");
    if (n == 0) break;
  }
  if (::fcntl(raw, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    return sys_error("fcntl F_ADD_SEALS");
  return copy;
}

}  // namespace

Result<void> seal_own_program(char** argv, char** envp) {
  auto program = TRY(open_file("/proc/self/exe", O_RDONLY));
  struct statvfs info;
  if (::fstatvfs(program.get(), &info) < 0) return sys_error("statvfs", "/proc/self/exe");
  if (info.f_flag & ST_RDONLY) return {};
  int seals = ::fcntl(program.get(), F_GET_SEALS);
  if (seals >= 0 && (seals & F_SEAL_WRITE)) return {};
  // The mount lives on in nothing but the running program: no mount namespace has it, so nobody can remount it.
  if (auto mount = clone_mount(program.get(), "", Recursive::No)) {
    TRY(change_mount(mount->get(), {.set = attr::kReadOnly, .propagation = propagation::kPrivate}, Recursive::No));
    return execute_fd(mount->get(), argv, envp);
  }
  auto copy = TRY(sealed_copy(program.get()));
  return execute_fd(copy.get(), argv, envp);
}

}  // namespace sampan::sys
