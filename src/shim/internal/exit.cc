// The second half of a shim's life: what happens when a process, and when the container, has ended.

#include <poll.h>

#include <csignal>

#include "shim/internal/shim_process.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::shim {

void ShimProcess::on_process_ended(Running& process) {
  auto status = sys::reap_child(process.pidfd);
  if (status && !*status) return;  // a spurious wake-up
  process.watch.reset();
  process.ended = true;
  // Somebody else reaped it: an end that nobody saw is never taken for success.
  sys::ExitStatus seen = status ? **status : sys::ExitStatus{.signal = SIGKILL};
  if (&process == &init_)
    on_init_ended(seen);
  else
    on_exec_ended(process, seen);
}

void ShimProcess::on_exec_ended(Running& process, const sys::ExitStatus& status) {
  // What its own children still write goes nowhere, as with a shell that has left.
  process.streams->drain();
  process.streams->close_pipes();
  if (!exited_) check_memory();
  if (&process == probes_.process) return end_probe(status.shell_code());
  uint64_t number = links_.send_reliably({.kind = static_cast<int>(ShimEvent::Kind::ExecExit),
                                          .generation = generation_,
                                          .exec_id = process.exec_id,
                                          .exit_code = status.shell_code(),
                                          .signal = status.signal,
                                          .time = codec::format_rfc3339(now_wall())});
  ended_.push_back({.streams = std::move(process.streams), .event = number, .ended = Clock::now()});
  process.streams = nullptr;
}

/// Everything that the container's processes have written. A process outside its pid namespace, or in one that is
/// shared, can hold a pipe open after init: it is killed, and its last words are waited for.
void ShimProcess::drain_all() {
  init_.streams->drain();
  if (init_.streams->output_ended()) return;
  (void)container_->cgroups().kill_all();
  auto end = Clock::now() + std::chrono::milliseconds(500);
  while (!init_.streams->output_ended() && Clock::now() < end) {
    init_.streams->drain();
    ::poll(nullptr, 0, 2);
  }
}

/// The execs die with the container; their ends are events like any other.
void ShimProcess::end_execs() {
  for (auto& exec : execs_) {
    if (exec->ended) continue;
    (void)sys::send_signal(exec->pidfd, SIGKILL);
    (void)sys::wait_exited(exec->pidfd, std::chrono::milliseconds(1000));
    auto status = sys::reap_child(exec->pidfd);
    exec->watch.reset();
    exec->ended = true;
    on_exec_ended(*exec, status && *status ? **status : sys::ExitStatus{.signal = SIGKILL});
  }
}

void ShimProcess::on_init_ended(const sys::ExitStatus& status) {
  codec::Time now = now_wall();
  exited_ = true;
  check_memory();
  memory_.stop();
  WireExit record{.generation = generation_,
                  .exit_code = status.shell_code(),
                  .signal = status.signal,
                  .oom_killed = memory_.kills > 0,
                  .unhealthy = probes_.ending,
                  .finished_at = codec::format_rfc3339(now)};
  drain_all();
  end_execs();
  init_.streams->close_pipes();
  (void)log_->flush(now);
  record.journal = links_.unacknowledged();
  // Without fsync: after a power cut nothing runs any more, and the exec root is gone with it. Killed between create
  // and start: no start will be answered with success, so there is nothing to record.
  if (running_) (void)sys::replace_file(dir_ + "/exit.json", format_exit_record(record), 0600, sys::Durable::No);
  (void)container_->destroy();
  plan_own_restart(record);
  if (!again_.planned) {  // before anybody hears of the end: who does finds nobody to connect to
    links_.stop_listening();
    (void)sys::remove_file(dir_ + "/shim.sock");
  }
  uint64_t number = links_.send_reliably({.kind = static_cast<int>(ShimEvent::Kind::Exit),
                                          .generation = generation_,
                                          .exit_code = record.exit_code,
                                          .signal = record.signal,
                                          .oom_killed = record.oom_killed,
                                          .time = record.finished_at,
                                          .unhealthy = record.unhealthy,
                                          .delay_ms = again_.planned ? again_.rule.delay.count() : 0});
  again_.exit_event = number;
  ended_.push_back({.streams = std::move(init_.streams), .event = number, .ended = Clock::now()});
}

}  // namespace sampan::shim
