#include "sys/old_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/strings.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::sys {
namespace {

constexpr uint64_t kExitSignalMask = 0xff;  // of clone(2)'s flags; CLONE_NEWTIME is one of these bits
constexpr auto kLongestNap = std::chrono::milliseconds(10);

/// The fields of /proc/<pid>/stat behind the program's name, which may hold anything: state, parent, ...
Result<std::vector<std::string>> stat_fields(int process) {
  Fd file;
  if (auto direct = open_at(process, "stat", O_RDONLY))
    file = std::move(*direct);
  else
    file = TRY(open_file(fmt::format("/proc/{}/stat", TRY(pid_of(process))), O_RDONLY));
  std::string text = TRY(read_fd(file.get(), 4096));
  size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return sys_error_of(ESRCH, "read", "stat");
  std::vector<std::string> fields;
  for (auto field : split(std::string_view(text).substr(name_end + 2), ' ')) fields.emplace_back(field);
  return fields;
}

}  // namespace

Result<Child> clone_by_clone(const CloneOptions& options) {
  if (options.cgroup >= 0 || options.namespaces & kExitSignalMask) return sys_error_of(ENOSYS, "clone3");
  unsigned long flags = options.namespaces | CLONE_PIDFD;
  flags |= options.sibling ? static_cast<unsigned long>(CLONE_PARENT) : static_cast<unsigned long>(SIGCHLD);
  int pidfd = 0;  // the first kernels with the flag insist on it, and those before leave it
  long pid = ::syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, nullptr);
  if (pid < 0) return sys_error("clone");
  if (pid == 0) return Child{};
  if (pidfd > 0) return Child{static_cast<pid_t>(pid), PidFd(pidfd)};
  // FALLBACK(linux<5.2): it is not reaped yet, so the number is still its own.
  return Child{static_cast<pid_t>(pid), TRY(open_proc_dir(static_cast<pid_t>(pid)))};
}

Result<PidFd> open_proc_dir(pid_t pid) {
  auto dir = open_file(fmt::format("/proc/{}", pid), O_RDONLY | O_DIRECTORY);
  if (!dir)
    return sys_error_of(dir.error().errno_value() == ENOENT ? ESRCH : dir.error().errno_value(), "open process");
  return std::move(*dir).as<PidFdTag>();
}

Result<pid_t> pid_of(int process) {
  struct statfs fs;
  if (::fstatfs(process, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC) {
    auto file = open_at(process, "stat", O_RDONLY);
    auto text = file ? read_fd(file->get(), 4096) : Result<std::string>(std::move(file).error());
    auto pid = text ? parse_int(text->substr(0, text->find(' '))) : std::nullopt;
    if (!pid) return sys_error_of(ESRCH, "read", "stat");
    return static_cast<pid_t>(*pid);
  }
  std::string text = TRY(read_file(fmt::format("/proc/self/fdinfo/{}", process)));
  for (auto line : split(text, '\n'))
    if (line.starts_with("Pid:")) {
      auto pid = parse_int(trim(line.substr(4)));
      if (pid && *pid > 0) return static_cast<pid_t>(*pid);
    }
  return sys_error_of(ESRCH, "read", "fdinfo");
}

bool is_running_by_state(int process) {
  constexpr size_t kState = 0, kThreads = 17;
  auto fields = stat_fields(process);
  if (!fields || fields->size() <= kThreads) return false;
  const std::string& state = (*fields)[kState];
  bool dead = state == "Z" || state == "X";
  return !dead || parse_int((*fields)[kThreads]).value_or(0) > 1;  // the first thread may end before the others
}

bool wait_exited_by_state(int process, std::chrono::milliseconds patience) {
  auto end = std::chrono::steady_clock::now() + patience;
  std::chrono::nanoseconds nap = std::chrono::microseconds(100);
  while (is_running_by_state(process)) {
    if (patience.count() >= 0 && std::chrono::steady_clock::now() >= end) return false;
    timespec time{0, nap.count()};
    ::nanosleep(&time, nullptr);
    nap = std::min<std::chrono::nanoseconds>(nap * 2, kLongestNap);
  }
  return true;
}

Result<void> kill_by_number(int process, int signal) {
  pid_t pid = TRY(pid_of(process));
  if (::kill(pid, signal) < 0) return sys_error("kill");
  return {};
}

Result<void> set_namespaces_one_by_one(int process, uint64_t flags) {
  pid_t pid = TRY(pid_of(process));
  auto dir = TRY(open_proc_dir(pid));
  std::vector<std::pair<Fd, uint64_t>> pending;  // opened at once: the names lead nowhere from another mount namespace
  for (const char* name : {"user", "net", "ipc", "uts", "cgroup", "time", "pid", "mnt"})
    if (flags & ns::flag_of_proc_name(name))
      pending.emplace_back(TRY(open_at(dir.get(), std::string("ns/") + name, O_RDONLY)), ns::flag_of_proc_name(name));
  if (!is_running_by_state(process)) return sys_error_of(ESRCH, "setns");
  // What the user namespace does not own can be entered only before it, and what it owns perhaps only after.
  if (flags & ns::kUser)
    std::erase_if(pending, [](const auto& wanted) {
      return wanted.second != ns::kUser &&
             ::syscall(SYS_setns, wanted.first.get(), static_cast<int>(wanted.second)) == 0;
    });
  for (const auto& [fd, flag] : pending)
    if (::syscall(SYS_setns, fd.get(), static_cast<int>(flag)) < 0) return sys_error("setns");
  return {};
}

Result<void> close_on_exec_by_list(unsigned first) {
  auto list = TRY(open_file("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  struct statfs fs;
  if (::fstatfs(list.get(), &fs) < 0) return sys_error("fstatfs", "/proc/self/fd");
  if (fs.f_type != PROC_SUPER_MAGIC) return fail(Code::PermissionDenied, "/proc is not a proc filesystem");
  std::unique_ptr<DIR, int (*)(DIR*)> names(::fdopendir(list.get()), ::closedir);
  if (!names) return sys_error("opendir", "/proc/self/fd");
  list.release();  // the listing owns it now
  while (dirent* entry = ::readdir(names.get())) {
    auto fd = parse_uint(entry->d_name);
    if (fd && *fd >= first) (void)::fcntl(static_cast<int>(*fd), F_SETFD, FD_CLOEXEC);
  }
  return {};
}

}  // namespace sampan::sys
