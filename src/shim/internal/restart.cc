// Starting the container again while no daemon is there to do it: in the same network namespace, with the same log.
//
// A daemon that comes back first finds the exit and decides itself; one that comes back later is told of each end and
// each new start with its times, and of the present process.

#include <sys/stat.h>

#include "shim/internal/shim_process.h"
#include "sys/file.h"

namespace sampan::shim {

void ShimProcess::plan_own_restart(const WireExit& exit) {
  again_.planned = false;
  if (!again_.payload.valid() || again_.forbidden || !running_) return;
  auto now = Clock::now();
  auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(now - again_.started);
  auto plan = plan_restart(again_.rule, exit.exit_code != 0, exit.unhealthy, ran, again_.delay);
  if (!plan.restart) return;
  again_.planned = true;
  again_.delay = plan.delay;
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

void ShimProcess::tick_restart(Clock::time_point now) {
  if (!exited_ || !ended_.empty() || links_.connected() || !awaits_restart() || now < again_.at) return;
  auto done = run_again();
  if (done) return;
  // What does not start now is the next daemon's to try: it finds the exit.
  again_.planned = false;
  exited_ = running_ = true;
  if (container_) (void)container_->destroy();
  links_.stop_listening();
  (void)sys::remove_file(dir_ + "/shim.sock");
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
                        .pid = init_.pid});
  return {};
}

}  // namespace sampan::shim
