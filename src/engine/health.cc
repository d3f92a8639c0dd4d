// Health checks: the shim is told what to run and when, and what it reports becomes the record's health.

#include "engine/internal/health.h"

#include "engine/internal/start_attempt.h"

namespace sampan::engine {

void Core::plan_probes(StartAttempt& attempt) {
  const ContainerRecord& record = attempt.record;
  auto plan = plan_health(record.config);
  if (plan.argv.empty()) return;
  shim::HealthCheck check;
  check.timing = plan.timing;
  check.process = container::make_exec_process(record, plan.argv, {}, "", false, false);
  check.user = record.config.user;
  check.end_unhealthy = container::restarts_unhealthy(record);
  check.stop_signal = container::stop_signal(record.config);
  check.stop_timeout = std::chrono::seconds(std::max<int64_t>(record.config.stop_timeout.value_or(10), 0));
  attempt.request.health = std::move(check);
}

void Core::start_health(ContainerRecord& record) {
  if (plan_health(record.config).argv.empty()) return;
  record.state.health = container::HealthState{"starting", 0, {}};
}

void Core::apply_health(const CellPtr& cell, const shim::ShimEvent& probe) {
  auto locked = lock_cell(cell);
  if (!locked || locked->record->generation != probe.generation || !locked->record->state.health) return;
  ContainerRecord record = *locked->record;
  record.state.health = apply_probe(std::move(*record.state.health), probe);
  std::vector<Event> events;
  if (probe.health_changed) {
    events.push_back(container_event(record, "health_status: " + probe.health.status));
    set_time(events.back(), probe.time);
  }
  (void)save_what_happened(record, std::move(events));
}

}  // namespace sampan::engine
