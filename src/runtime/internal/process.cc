#include "runtime/internal/process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "base/strings.h"
#include "runtime/internal/plan.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime::internal {
namespace {

constexpr char kSiblingMark = 'P';

/// Born in the version 2 cgroup when there is one. FALLBACK(linux<5.7, or a cgroup that refuses): the child joins by
/// cgroup.procs like any other hierarchy.
Result<sys::Child> clone_into_cgroup(const Birth& birth, sys::CloneOptions options) {
  if (!birth.cgroups) return sys::clone_process(options);
  auto dir = TRY(birth.cgroups->v2_dir());
  if (!dir.valid()) {
    birth.process.cgroup_files = TRY(birth.cgroups->join_fds());
    return sys::clone_process(options);
  }
  birth.process.cgroup_files = TRY(birth.cgroups->join_fds(cgroup::Cgroup::Unified::BornInside));
  options.cgroup = dir.get();
  auto child = sys::clone_process(options);
  if (child) return child;
  options.cgroup = -1;
  birth.process.cgroup_files = TRY(birth.cgroups->join_fds());
  return sys::clone_process(options);
}

/// The intermediate process: enters the user namespace, and has the real child as its sibling, so that the child's
/// other namespaces belong to that user namespace. Returns in the child only.
Result<void> step_through_user_namespace(const Birth& birth, Channel& channel) {
  TRY(sys::set_dumpable(false));
  for (const auto& join : birth.container->joins)
    if (join.type == sys::ns::kUser) TRY(sys::set_namespaces(join.fd.get(), join.type));
  TRY(sys::set_all_gids(0));
  TRY(sys::set_all_uids(0));
  auto sibling = TRY(sys::clone_process({.namespaces = birth.namespaces, .sibling = true}));
  if (sibling.pid == 0) return {};
  std::string packet(1, kSiblingMark);
  packet += std::to_string(sibling.pid);
  int fds[] = {sibling.pidfd.get()};
  (void)sys::send_packet(channel.fd(), packet, fds);
  ::_exit(0);
}

[[noreturn]] void live(const Birth& birth, Channel channel) {
  if (birth.user_namespace) {
    auto stepped = step_through_user_namespace(birth, channel);
    if (!stepped) {
      channel.send_error(std::move(stepped).error().context("join user namespace"));
      ::_exit(255);
    }
  }
  Child child{birth.process, birth.container, birth.join, channel, {}, {}, {}, {}, {}, false, {}, {}};
  run_child(child, birth.join ? exec_steps() : init_steps());
}

/// Takes the sibling's pid and descriptor from the intermediate process, which is reaped.
Result<void> adopt_sibling(Channel& channel, Process& child) {
  auto received = TRY(channel.receive());
  Process intermediate = std::move(child);
  child = Process{};
  child.warnings = std::move(intermediate.warnings);
  TRY(sys::reap(intermediate.pid));
  if (received.message == Message::Error) return unpack_error(received.text);
  auto pid = parse_int(received.text);
  if (static_cast<char>(received.message) != kSiblingMark || !pid || received.fds.size() != 1)
    return fail(Code::Internal, "join user namespace: no answer");
  child.pid = static_cast<pid_t>(*pid);
  child.pidfd = std::move(received.fds[0]).as<sys::PidFdTag>();
  return {};
}

/// By the parent, which sees the host's /proc and keeps its rights. Lowering it needs CAP_SYS_RESOURCE.
Result<void> set_oom_score(const oci::Process& process, Process& child) {
  if (!process.oom_score_adj) return {};
  auto written =
      sys::write_kernel_file(fmt::format("/proc/{}/oom_score_adj", child.pid), std::to_string(*process.oom_score_adj));
  if (written || written.error().errno_value() == ENOENT) return {};
  if (written.error().errno_value() != EACCES) return written;
  child.warnings.push_back(fmt::format("oom_score_adj cannot be lowered to {} on this host", *process.oom_score_adj));
  return {};
}

}  // namespace

Result<void> keep_standard_descriptors_open() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    int opened = ::open("/dev/null", O_RDWR);  // takes the lowest free number: this one
    if (opened < 0) return sys::sys_error("open", "/dev/null");
  }
  return {};
}

Result<Channel> give_birth(const Birth& birth, Process& child) {
  const auto& stdio = birth.process.stdio;
  if (!birth.process.process->terminal && (stdio.in < 0 || stdio.out < 0 || stdio.err < 0))
    birth.process.null = TRY(sys::open_file("/dev/null", O_RDWR));
  auto [ours, theirs] = TRY(sys::make_packet_pair());
  std::optional<PidNamespaceVisit> visit;
  if (birth.pid_namespace >= 0) visit.emplace(TRY(PidNamespaceVisit::enter(birth.pid_namespace)));
  auto cloned = TRY(clone_into_cgroup(birth, {.namespaces = birth.user_namespace ? 0 : birth.namespaces}));
  if (cloned.pid == 0) {
    ours.reset();
    live(birth, Channel(std::move(theirs)));
  }
  visit.reset();
  theirs.reset();
  child.pid = cloned.pid;
  child.pidfd = std::move(cloned.pidfd);
  Channel channel(std::move(ours));
  auto ready = birth.user_namespace ? adopt_sibling(channel, child) : Result<void>();
  if (ready) ready = set_oom_score(*birth.process.process, child);
  if (ready) return channel;
  if (child.pid > 0) kill_and_reap(child);
  return std::move(ready).error();
}

Result<Message> receive(Channel& channel, Process& child, std::string* text) {
  for (;;) {
    auto received = channel.receive();
    if (!received) return std::move(received).error();
    switch (received->message) {
      case Message::Warning:
        child.warnings.push_back(std::move(received->text));
        break;
      case Message::Timing:
        if (auto pair = split_once(received->text, '\t'))
          child.timings.push_back({std::string(pair->first), parse_int(pair->second).value_or(0)});
        break;
      case Message::Console:
        if (!received->fds.empty()) child.console = std::move(received->fds[0]);
        break;
      case Message::Error:
        return unpack_error(received->text);
      default:
        if (text) *text = std::move(received->text);
        return received->message;
    }
  }
}

Result<void> await_exec(Channel& channel, Process& child, const Handover* handover) {
  for (;;) {
    // End of file is execve, or death by a signal: that the caller will see as any other exit.
    std::string text;
    if (TRY(receive(channel, child, &text)) != Message::Listener) return {};
    auto number = parse_int(text);
    if (!handover || !number) return fail(Code::Internal, "a seccomp listener that nobody asked for");
    auto listener = TRY_CONTEXT(sys::take_descriptor(child.pidfd, static_cast<int>(*number)), "seccomp listener");
    TRY_CONTEXT(handover->agent.hand_over(listener.get(), handover->state, child.pid), "seccomp listenerPath");
    TRY(channel.send(Message::Go));
  }
}

void kill_and_reap(const Process& child) {
  (void)sys::send_signal(child.pidfd, SIGKILL);  // it may be gone already
  (void)sys::reap(child.pid);
}

Error death_of(Process& child) {
  auto status = sys::reap(child.pid);
  child.pid = 0;
  if (!status) return std::move(status).error();
  if (status->signal != 0) return make_error(Code::Unknown, "init was killed by signal {}", status->signal);
  return make_error(Code::Unknown, "init exited with status {}", status->code);
}

}  // namespace sampan::runtime::internal
