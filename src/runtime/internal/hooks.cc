// Hooks: programs that an operator has run at points of a container's life. They get the container's state on stdin and
// a constructed environment: their own, and nothing of the container's or ours.
// Source: runtime-spec config.md "POSIX-platform Hooks".
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/packet.h"
#include "sys/process.h"
#include "sys/program.h"

namespace sampan::runtime {
namespace internal {
namespace {

constexpr std::chrono::milliseconds kForever{-1};

[[noreturn]] void become_hook(const oci::Hook& hook, int input, int output) {
  if (::chdir("/") < 0) ::_exit(126);
  auto args = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
  sys::become_program({hook.path, std::move(args), hook.env, input, output, {}});
}

Result<void> run_hook(const oci::Hook& hook, const std::string& state) {
  auto [input, feed] = TRY(sys::make_pipe());
  auto [said, output] = TRY(sys::make_pipe());
  auto child = TRY(sys::clone_process({}));
  if (child.pid == 0) become_hook(hook, input.get(), output.get());
  input.reset();
  output.reset();
  struct sigaction ignore = {}, before;
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  (void)sys::write_all(feed.get(), state);  // a hook need not read it
  ::sigaction(SIGPIPE, &before, nullptr);
  feed.reset();
  auto patience = hook.timeout && *hook.timeout > 0 ? std::chrono::milliseconds(*hook.timeout * 1000) : kForever;
  bool exited = TRY(sys::wait_exited(child.pidfd, patience));
  if (!exited) (void)sys::send_signal(child.pidfd, SIGKILL);
  auto status = TRY(sys::reap(child.pid));
  if (!exited) return fail(Code::DeadlineExceeded, "hook ran past timeout of {} s", *hook.timeout);
  if (status.shell_code() == 0) return {};
  ::fcntl(said.get(), F_SETFL, O_NONBLOCK);
  char words[1024];
  ssize_t n = ::read(said.get(), words, sizeof words);
  return fail(Code::Unknown, "exit status {}, output: {}", status.shell_code(),
              std::string_view(words, n > 0 ? static_cast<size_t>(n) : 0));
}

}  // namespace
}  // namespace internal

Result<void> run_hooks(const char* kind, const std::vector<oci::Hook>& hooks, const std::string& state) {
  for (size_t i = 0; i < hooks.size(); ++i)
    TRY_CONTEXT(internal::run_hook(hooks[i], state),
                fmt::format("error running {} hook #{} ({})", kind, i, hooks[i].path));
  return {};
}

namespace internal {

namespace {

/// Hooks in the container's namespaces are told the number that the process has there. A quote inside a JSON string is
/// escaped, so the first `"pid":` is the member's name.
std::string with_own_pid(const std::string& state) {
  constexpr std::string_view kMember = "\"pid\":";
  size_t begin = state.find(kMember);
  if (begin == std::string::npos) return state;
  begin += kMember.size();
  size_t end = state.find_first_not_of("0123456789", begin);
  return state.substr(0, begin) + std::to_string(::getpid()) + state.substr(std::min(end, state.size()));
}

}  // namespace

Result<void> wait_for_hooks(Child& child) {
  const auto& hooks = child.container->spec->hooks;
  if (!hooks || (hooks->prestart.empty() && hooks->create_runtime.empty() && hooks->create_container.empty()))
    return {};
  TRY(child.channel.send(Message::NeedHooks));
  std::string state = TRY(child.channel.wait_go());
  return run_hooks("createContainer", hooks->create_container, with_own_pid(state));
}

namespace {

Result<sys::Fd> accept_starter(int listener) {
  for (;;) {
    pollfd entry{listener, POLLIN, 0};
    if (::poll(&entry, 1, -1) < 0 && errno != EINTR) return sys::sys_error("poll");
    auto accepted = TRY(sys::accept_packets(listener));
    if (accepted) return std::move(*accepted);
  }
}

}  // namespace

Result<void> report_ready(Child& child) {
  TRY(child.channel.send(Message::Ready));
  if (child.process.start_listener >= 0) {
    // The creator goes away; whoever connects next speaks the rest of the protocol.
    auto accepted = TRY(accept_starter(child.process.start_listener));
    child.channel = Channel(std::move(accepted));
  }
  child.state = TRY(child.channel.wait_go());
  return {};
}

Result<void> run_start_hooks(Child& child) {
  const auto& hooks = child.container->spec->hooks;
  if (!hooks) return {};
  return run_hooks("startContainer", hooks->start_container, with_own_pid(child.state));
}

}  // namespace internal
}  // namespace sampan::runtime
