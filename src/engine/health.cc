// Running health checks: a probe is an exec whose output comes back over a socket pair, read by the loop.

#include "engine/internal/health.h"

#include <signal.h>
#include <sys/socket.h>

#include "engine/internal/core.h"
#include "engine/internal/names.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

constexpr size_t kOutputKept = 4096;

bool in_start_period(const ContainerRecord& record, const HealthPlan& plan) {
  auto started = codec::parse_rfc3339(record.state.started_at);
  return started && now().unix_nanos - started->unix_nanos < plan.start_period.count();
}

Result<std::pair<sys::Fd, sys::Fd>> make_stream_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return sys::sys_error("socketpair");
  return std::pair(sys::Fd(fds[0]), sys::Fd(fds[1]));
}

void append_available(int fd, std::string& output, bool& ended) {
  char buffer[4096];
  for (;;) {
    ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n == 0) ended = true;
    if (n <= 0) return;
    output.append(buffer, std::min(static_cast<size_t>(n), kOutputKept - std::min(kOutputKept, output.size())));
  }
}

}  // namespace

void Core::start_health(const CellPtr& cell, ContainerRecord& record) {
  (void)cell;
  if (plan_health(record.config).argv.empty()) return;
  record.state.health = container::HealthState{"starting", 0, {}};
}

void Core::schedule_probe(const CellPtr& cell, const ContainerRecord& record) {
  auto plan = plan_health(record.config);
  if (plan.argv.empty() || !record.state.health) return;
  auto delay = probe_delay(*record.state.health, plan, in_start_period(record, plan));
  auto token =
      loop_->after(std::chrono::ceil<std::chrono::milliseconds>(delay), [this, cell, generation = record.generation] {
        workers_.post(cell->id, [this, cell, generation] { run_probe(cell, generation); });
      });
  std::lock_guard lock(cell->live);
  cell->health.timer = token;
}

/// Reads the probe's output as it comes, so that one that talks a lot never waits for a reader. Caller: holds `live`.
void Core::watch_output(const CellPtr& cell, const std::string& exec_id, std::shared_ptr<sys::Fd> fd) {
  cell->health.output_fd = fd;
  auto watch = loop_->watch(fd->get(), [cell, exec_id, fd] {
    std::lock_guard lock(cell->live);
    if (cell->health.exec_id != exec_id) return false;
    bool ended = false;
    append_available(fd->get(), cell->health.output, ended);
    return !ended;
  });
  cell->health.output_watch = watch ? *watch : 0;
}

void Core::run_probe(const CellPtr& cell, uint64_t generation) {
  auto record = containers_.record(cell->id);
  auto connection = cell->connection();
  if (!record || !connection || record->generation != generation || !record->state.running()) return;
  if (container::status_of(*record) == container::Status::Paused) return schedule_probe(cell, *record);
  auto plan = plan_health(record->config);
  shim::ExecRequest request;
  request.exec_id = kProbePrefix + random_id();
  request.process = container::make_exec_process(*record, plan.argv, {}, "", false, false);
  request.user = record->config.user;
  request.attach.stdout_ = request.attach.stderr_ = true;
  request.attach.multiplexed = false;
  auto pair = make_stream_pair();
  auto seccomp = seccomp_program(*record);
  if (seccomp) request.seccomp = *seccomp;
  {
    std::lock_guard lock(cell->live);
    auto& health = cell->health;
    health.exec_id = request.exec_id;
    health.started_at = now_text();
    health.output.clear();
    if (pair) watch_output(cell, request.exec_id, std::make_shared<sys::Fd>(std::move(pair->first)));
    health.deadline = loop_->after(std::chrono::ceil<std::chrono::milliseconds>(plan.timeout),
                                   [this, cell, connection, id = request.exec_id] {
                                     workers_.post(cell->id, [this, cell, connection, id] {
                                       (void)connection->signal_exec(id, SIGKILL);
                                       finish_probe(cell, id, -1, true);
                                     });
                                   });
  }
  std::optional<sys::Fd> client;
  if (pair) client = std::move(pair->second);
  request.detach = !client;
  std::string id = request.exec_id;
  auto pid = exec_unfrozen(cell, *connection, request, std::move(client));
  if (pid) return;
  {
    std::lock_guard lock(cell->live);
    cell->health.output = pid.error().message();
  }
  finish_probe(cell, id, container::start_failure_code(pid.error().message()), false);
}

void Core::finish_probe(const CellPtr& cell, const std::string& exec_id, int exit_code, bool timed_out) {
  auto locked = lock_cell(cell);
  if (!locked || !locked->record->state.health) return;
  ContainerRecord record = *locked->record;
  auto plan = plan_health(record.config);
  ProbeResult probe;
  {
    std::lock_guard lock(cell->live);
    auto& health = cell->health;
    if (health.exec_id != exec_id) return;  // of an older run, or reported before
    bool ended = false;
    if (health.output_fd) append_available(health.output_fd->get(), health.output, ended);
    probe = {health.started_at, now_text(), exit_code, std::move(health.output)};
    loop_->cancel(std::exchange(health.deadline, 0));
    loop_->cancel(std::exchange(health.output_watch, 0));
    health.output_fd.reset();
    health.exec_id.clear();
    health.output.clear();
  }
  if (timed_out) {
    probe.output = fmt::format("Health check exceeded timeout ({} ms)",
                               std::chrono::duration_cast<std::chrono::milliseconds>(plan.timeout).count());
  }
  std::string before = record.state.health->status;
  record.state.health = apply_probe(*record.state.health, plan, probe, in_start_period(record, plan));
  std::vector<Event> events;
  if (record.state.health->status != before) {
    events.push_back(container_event(record, "health_status: " + record.state.health->status));
  }
  (void)save(record, std::move(events));  // the next probe writes it again
  schedule_probe(cell, record);
}

void Core::stop_health(const CellPtr& cell) {
  std::lock_guard lock(cell->live);
  loop_->cancel(std::exchange(cell->health.timer, 0));
  loop_->cancel(std::exchange(cell->health.deadline, 0));
  loop_->cancel(std::exchange(cell->health.output_watch, 0));
  cell->health = HealthMonitor();
}

}  // namespace sampan::engine
