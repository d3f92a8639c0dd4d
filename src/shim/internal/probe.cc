// Health: a probe is an exec whose output is kept. One at a time, and none while the container is frozen.

#include <csignal>

#include "codec/json.h"
#include "shim/internal/shim_process.h"
#include "sys/process.h"

namespace sampan::shim {

namespace {

/// What a probe has written need not be text, but JSON is.
std::string as_text(std::string bytes) {
  if (codec::parse_json(codec::to_json(bytes))) return bytes;
  for (char& c : bytes) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
  return bytes;
}

}  // namespace

/// The probe's process waits in a memory file: an idle shim owns none of it.
Result<void> ShimProcess::plan_health(StartMessage& message, const std::optional<runtime::SeccompProgram>& seccomp) {
  if (!message.health) return {};
  WireHealth& wire = *message.health;
  ExecRequest probe;
  probe.exec_id = kProbeId;
  probe.process = std::move(wire.process);
  probe.user = wire.user;
  probe.seccomp = seccomp;
  probes_.payload = TRY(make_payload(probe));
  probes_.check = HealthCheck{.timing = {.interval = std::chrono::nanoseconds(wire.interval),
                                         .timeout = std::chrono::nanoseconds(wire.timeout),
                                         .start_period = std::chrono::nanoseconds(wire.start_period),
                                         .start_interval = std::chrono::nanoseconds(wire.start_interval),
                                         .retries = wire.retries},
                              .end_unhealthy = wire.end_unhealthy,
                              .stop_signal = wire.stop_signal,
                              .stop_timeout = std::chrono::milliseconds(wire.stop_timeout_ms)};
  return {};
}

bool ShimProcess::in_start_period() const {
  return Clock::now() - probes_.container_started < probes_.check->timing.start_period;
}

void ShimProcess::begin_health() {
  if (!probes_.check) return;
  probes_.health = {};
  probes_.ending = false;
  probes_.container_started = Clock::now();
  probes_.next = probes_.container_started + probe_delay(probes_.health, probes_.check->timing, in_start_period());
}

std::optional<Clock::time_point> ShimProcess::health_deadline() const {
  if (!probes_.check || !running_ || exited_) return std::nullopt;
  if (probes_.ending) return probes_.kill_at;
  return probes_.process ? probes_.deadline : probes_.next;
}

void ShimProcess::tick_health(Clock::time_point now) {
  auto due = health_deadline();
  if (!due || now < *due) return;
  if (probes_.ending) {
    (void)sys::send_signal(init_.pidfd, SIGKILL);
    probes_.kill_at = now + std::chrono::seconds(10);
  } else if (!probes_.process) {
    start_probe(now);
  } else if (frozen() || std::exchange(probes_.met_pause, false)) {
    // What is frozen cannot answer: the probe gets its whole time once it can.
    probes_.met_pause = frozen();
    probes_.deadline = now + probes_.check->timing.timeout;
  } else {
    probes_.timed_out = true;
    (void)sys::send_signal(probes_.process->pidfd, SIGKILL);
    probes_.deadline = now + std::chrono::seconds(1);
  }
}

bool ShimProcess::frozen() const {
  return container_->cgroups().is_frozen().value_or(false);
}

/// A pause that was over before the probe's time was: that time was not the probe's alone.
void ShimProcess::on_thawed() {
  if (!probes_.process || probes_.timed_out) return;
  probes_.met_pause = false;
  probes_.deadline = Clock::now() + probes_.check->timing.timeout;
}

void ShimProcess::start_probe(Clock::time_point now) {
  if (frozen()) {
    probes_.next = now + probes_.check->timing.interval;
    return;
  }
  probes_.output.clear();
  probes_.timed_out = probes_.met_pause = false;
  probes_.started_at = codec::format_rfc3339(now_wall());
  probes_.deadline = now + probes_.check->timing.timeout;
  auto payload = read_exec_payload(probes_.payload.get());
  auto started = payload ? run_exec(*payload, {.kept = &probes_.output}) : Result<Running*>(payload.error());
  if (started) {
    probes_.process = *started;
    return;
  }
  if (frozen()) {  // it met a pause on its way
    probes_.next = now + probes_.check->timing.interval;
    return;
  }
  probes_.output = started.error().message();
  end_probe(-1);
}

void ShimProcess::end_probe(int exit_code) {
  probes_.process = nullptr;
  if (exited_) return;  // it was killed with the container
  const HealthTiming& timing = probes_.check->timing;
  if (probes_.timed_out) {
    exit_code = -1;
    probes_.output = fmt::format("Health check exceeded timeout ({} ms)",
                                 std::chrono::duration_cast<std::chrono::milliseconds>(timing.timeout).count());
  }
  Health before = probes_.health;
  probes_.health = next_health(before, timing, exit_code == 0, in_start_period());
  probes_.next = Clock::now() + probe_delay(probes_.health, timing, in_start_period());
  bool changed = probes_.health.status != before.status;
  links_.send_reliably({.kind = static_cast<int>(ShimEvent::Kind::Health),
                        .generation = generation_,
                        .exit_code = exit_code,
                        .time = codec::format_rfc3339(now_wall()),
                        .health_changed = changed,
                        .health = probes_.health.status,
                        .started_at = probes_.started_at,
                        .output = as_text(std::exchange(probes_.output, {})),
                        .failing_streak = probes_.health.failing_streak});
  if (changed && probes_.health.status == "unhealthy" && probes_.check->end_unhealthy) end_unhealthy();
}

void ShimProcess::end_unhealthy() {
  probes_.ending = true;
  probes_.kill_at = Clock::now() + probes_.check->stop_timeout;
  (void)sys::send_signal(init_.pidfd, probes_.check->stop_signal);
}

}  // namespace sampan::shim
