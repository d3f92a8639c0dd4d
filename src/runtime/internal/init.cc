#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/process.h"

namespace sampan::runtime::internal {
namespace {

// The order is the security argument: see the comment of each step.
constexpr InitStep kInitSteps[] = {
    {"protect process", protect_process},
    {"join control groups", join_cgroups},
    {"join namespaces", join_namespaces},
    {"map user ids", become_mapped_root},
    {"set up network", set_up_network},
    {"set host name", set_names},
    {"isolate mounts", isolate_mounts},
    {"mount rootfs", attach_rootfs},
    {"mount", mount_all},
    {"make devices", make_devices},
    {"make console", make_console},
    {"write sysctls", write_sysctls},
    {"run hooks", wait_for_hooks},
    {"enter rootfs", enter_rootfs},
    {"make working directory", make_workdir},
    {"finish rootfs", finish_rootfs},
    {"mask paths", mask_paths},
    {"find user", resolve_identity},
    {"set limits", set_limits},
    {"apply labels", apply_labels},
    {"wire streams", wire_stdio},
    {"enter working directory", enter_workdir},
    {"drop privileges", drop_privileges},
    {"", find_program},  // its words are the whole message: clients match them
    {"wait for start", report_ready},
    {"run start hooks", run_start_hooks},
    {"close descriptors", close_descriptors},
    {"limit open files", limit_open_files},
    {"finish privileges", finish_privileges},
};

constexpr InitStep kExecSteps[] = {
    {"protect process", protect_process},
    {"join control groups", join_cgroups},
    {"join namespaces", join_namespaces},
    {"map user ids", become_mapped_root},
    {"enter rootfs", open_joined_root},
    {"make console", make_console},
    {"find user", resolve_identity},
    {"set limits", set_limits},
    {"apply labels", apply_labels},
    {"wire streams", wire_stdio},
    {"enter working directory", enter_workdir},
    {"drop privileges", drop_privileges},
    {"", find_program},
    {"look for the caller", look_for_caller},
    {"close descriptors", close_descriptors},
    {"limit open files", limit_open_files},
    {"finish privileges", finish_privileges},
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

/// Signals as a fresh program expects them: nothing blocked, nothing ignored.
void reset_signals() {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int64_t monotonic_nanoseconds() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void tell_time(Child& child, const char* step, int64_t nanoseconds) {
  (void)child.channel.send(Message::Timing, fmt::format("{}\t{}", *step ? step : "find program", nanoseconds));
}

[[noreturn]] void give_up(Child& child, const Error& error) {
  child.channel.send_error(error);
  ::_exit(255);
}

}  // namespace

std::span<const InitStep> init_steps() {
  return kInitSteps;
}
std::span<const InitStep> exec_steps() {
  return kExecSteps;
}

// An exec that was killed halfway must leave nothing inside: whoever asked for this process is still there, or it ends
// here. It may have been frozen with its container for a long time.
Result<void> look_for_caller(Child& child) {
  if (!child.channel.is_heard()) return fail(Code::Unavailable, "the calling process has gone");
  return {};
}

// The last look at the descriptor table: everything above the streams and what is to be kept closes at execve, whoever
// left it open.
Result<void> close_descriptors(Child& child) {
  const auto& kept = child.process.preserve_fds;
  int first = 3, past = first + static_cast<int>(kept.size());
  if (!kept.empty()) {
    std::vector<sys::Fd> lifted;
    for (int fd : kept) {
      int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, past);
      if (copy < 0) return sys::sys_error("dup", std::to_string(fd));
      lifted.emplace_back(copy);
    }
    int channel = ::fcntl(child.channel.fd(), F_DUPFD_CLOEXEC, past);
    if (channel < 0) return sys::sys_error("dup");
    child.channel = Channel(sys::Fd(channel));
    for (size_t i = 0; i < lifted.size(); ++i)
      if (::dup2(lifted[i].get(), first + static_cast<int>(i)) < 0) return sys::sys_error("dup2");
  }
  // FALLBACK(linux<5.11): they were marked at the start, and what this process opened since is born so. The list of
  // them in the container's own /proc is nothing to rely on.
  if (sys::met_old_kernel()) return {};
  return sys::close_on_exec_from(static_cast<unsigned>(past));
}

void run_child(Child& child, std::span<const InitStep> steps) {
  reset_signals();
  for (const auto& step : steps) {
    int64_t began = child.process.trace ? monotonic_nanoseconds() : 0;
    auto done = step.run(child);
    // The filter that the last step loads may not let this process speak.
    if (child.process.trace && (&step != &steps.back() || child.process.seccomp.empty()))
      tell_time(child, step.name, monotonic_nanoseconds() - began);
    if (done) continue;
    if (*step.name == '\0') give_up(child, done.error());
    give_up(child, std::move(done).error().context(step.name));
  }
  auto argv = pointers(child.process.args), envp = pointers(child.env);
  ::execve(child.program.c_str(), argv.data(), envp.data());
  give_up(child, sys::sys_error_of(errno, fmt::format("exec {}", child.program)));
}

}  // namespace sampan::runtime::internal
