// Starting the container again while no daemon is there to do it, or one that hangs: in the same network namespace,
// with the same log.
//
// A daemon that comes back in time claims the exit and decides itself; one that comes back later is told of each end
// and each new start with its times, and of the present process.

#include <sys/stat.h>

#include "shim/internal/shim_process.h"
#include "sys/child.h"
#include "sys/file.h"

namespace sampan::shim {

namespace {

/// How long a connected daemon may take to claim an exit before it counts as hanging. Claiming is the first thing that
/// it does.
constexpr auto kAttention = std::chrono::seconds(5);

}  // namespace

void ShimProcess::keep_for_restart(const StartMessage& message, sys::Fd payload) {
  again_.rule = {static_cast<RestartRule::When>(message.restart), message.restart_most, message.restart_count,
                 std::chrono::milliseconds(message.restart_delay_ms)};
  bool restarts = message.restart != 0 || (message.health && message.health->end_unhealthy);
  again_.payload = restarts ? std::move(payload) : sys::Fd();
  if (!restarts) again_.netns.reset();
}

/// What the daemon has changed of a running container counts for the next start too, whoever does it.
Result<Reply> ShimProcess::update(const Request& request, sys::Packet& packet) {
  size_t expected = request.with_netns ? 2 : 1;
  if (packet.fds.size() != expected) return fail(Code::InvalidArgument, "update without its payload");
  auto payload = TRY(read_start_payload(packet.fds[0].get()));
  if (payload.message.id != id_ || payload.message.generation != generation_) {
    return fail(Code::Conflict, "update of another run of container {}", payload.message.id);
  }
  if (request.with_netns) again_.netns = std::move(packet.fds[1]).as<sys::NsFdTag>();
  keep_for_restart(payload.message, std::move(packet.fds[0]));
  return Reply{};
}

/// The daemon is about to act on the end of the run. It comes too late when another run has begun.
Reply ShimProcess::claim(uint64_t exit_event) {
  Reply reply;
  again_.claimed = exited_ && exit_event == again_.exit_event;
  if (!again_.claimed) reply.pid = init_.pid;
  return reply;
}

void ShimProcess::plan_own_restart(const WireExit& exit) {
  again_.planned = again_.claimed = false;
  if (!again_.payload.valid() || again_.forbidden || !running_) return;
  auto now = Clock::now();
  auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(now - again_.started);
  auto plan = plan_restart(again_.rule, exit.exit_code != 0, exit.unhealthy, ran, again_.rule.delay);
  if (!plan.restart) return;
  again_.planned = true;
  again_.rule.delay = plan.delay;
  again_.ended = now;
  again_.at = now + plan.delay;
  again_.exit = exit;
  again_.exit.journal.clear();
}

/// Until a daemon has taken the exit, or the container's directory has gone.
bool ShimProcess::awaits_restart() const {
  struct stat info;
  if (!again_.planned || links_.acknowledged(again_.exit_event)) return false;
  return ::fstat(dir_fd_.get(), &info) == 0 && info.st_nlink > 0;
}

/// nullopt: nothing to do as long as the daemon that claimed the exit is there.
std::optional<Clock::time_point> ShimProcess::restart_deadline() const {
  if (!exited_ || !again_.planned) return std::nullopt;
  if (!links_.connected()) return again_.at;
  if (again_.claimed) return std::nullopt;
  return std::max<Clock::time_point>(again_.at, again_.ended + kAttention);
}

void ShimProcess::tick_restart(Clock::time_point now) {
  if (!links_.connected()) again_.claimed = false;  // whoever claimed it died before acting
  auto due = restart_deadline();
  if (!due || now < *due || !ended_.empty() || !awaits_restart()) return;
  if (run_again()) return;
  // What is missing now may be back later. The next daemon finds the exit in any case.
  give_up_run();
  using namespace std::chrono_literals;
  again_.rule.delay = std::min<std::chrono::milliseconds>(again_.rule.delay * 2, 60s);
  again_.at = Clock::now() + again_.rule.delay;
}

/// Nothing of a start that failed stays.
void ShimProcess::give_up_run() {
  exited_ = running_ = true;
  init_.watch.reset();
  init_.ended = true;
  init_.streams.reset();
  memory_.stop();
  if (container_) (void)container_->destroy();
  container_.reset();
  (void)sys::reap_child(init_.pidfd);
}

Result<void> ShimProcess::run_again() {
  container_.reset();
  log_.reset();
  execs_.clear();
  memory_.told = memory_.kills = 0;
  probes_.process = nullptr;
  init_.ended = false;
  auto payload = TRY(read_start_payload(again_.payload.get()));
  TRY(create_container(payload));
  TRY(container_->start());
  exited_ = false;
  again_.planned = false;
  again_.started = Clock::now();
  begin_health();
  ++again_.rule.count;
  // The run that ended has become part of this event: nobody is to take it for the end of the present one.
  links_.acknowledge(again_.exit_event);
  (void)sys::remove_file(dir_ + "/exit.json");
  links_.send_reliably({.kind = static_cast<int>(ShimEvent::Kind::Restart),
                        .generation = generation_,
                        .exit_code = again_.exit.exit_code,
                        .signal = again_.exit.signal,
                        .oom_killed = again_.exit.oom_killed,
                        .time = again_.exit.finished_at,
                        .unhealthy = again_.exit.unhealthy,
                        .started_at = codec::format_rfc3339(now_wall()),
                        .pid = init_.pid,
                        .delay_ms = again_.rule.delay.count()});
  return {};
}

}  // namespace sampan::shim
