// What the shims report, and what follows from it. The loop's thread only reads; the work is done by the workers, in
// order for each container, with its operation lock held.

#include "container/explain.h"
#include "engine/internal/core.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

std::chrono::milliseconds between(const std::string& from, const std::string& to) {
  auto begin = codec::parse_rfc3339(from), end = codec::parse_rfc3339(to);
  if (!begin || !end) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(std::max<int64_t>(0, (end->unix_nanos - begin->unix_nanos) / 1'000'000));
}

/// Whether what follows this exit is ours to decide. If not, this daemon has hung meanwhile and the shim has started
/// the container again: the next events tell it. So they do, or its exit record, when the shim has gone since.
bool is_ours(shim::ShimConnection& connection) {
  auto claimed = connection.claim_exit();
  return claimed ? *claimed : claimed.error().code() != Code::Unavailable;
}

}  // namespace

void Core::adopt_shim(const CellPtr& cell, std::shared_ptr<shim::ShimConnection> connection) {
  {
    std::lock_guard lock(cell->live);
    cell->shim = connection;
  }
  watch_shim(cell, std::move(connection));
}

/// One wake-up, then the workers read: asking for the next event acknowledges the last, so each must have been acted
/// on.
void Core::watch_shim(const CellPtr& cell, std::shared_ptr<shim::ShimConnection> connection) {
  auto drain = [this, cell, connection] {
    workers_.post(cell->id, [this, cell, connection] { drain_shim(cell, connection); });
  };
  // No memory to watch with: look again soon, or the exit would be missed.
  if (!loop_->watch_once(connection->event_fd(), drain)) loop_->after(std::chrono::milliseconds(200), drain);
}

void Core::drain_shim(const CellPtr& cell, const std::shared_ptr<shim::ShimConnection>& connection) {
  for (;;) {
    auto event = connection->next_event();
    if (!event) return shim_gone(cell, connection->generation());
    if (!*event) return watch_shim(cell, connection);
    bool exit = (*event)->kind == shim::ShimEvent::Kind::Exit;
    if (exit && (*event)->delay.count() > 0 && !is_ours(*connection)) continue;
    take_event(cell, **event);
    if (!exit) continue;
    (void)connection->next_event();  // acknowledges; nothing after the exit matters
    return;
  }
}

void Core::take_event(const CellPtr& cell, const shim::ShimEvent& event) {
  using Kind = shim::ShimEvent::Kind;
  auto record = containers_.record(cell->id);
  if (!record) return;
  switch (event.kind) {
    case Kind::Exit:
      apply_exit(cell, event.generation,
                 {.exit_code = event.exit_code,
                  .signal = event.signal,
                  .oom_killed = event.oom_killed,
                  .unhealthy = event.unhealthy,
                  .finished_at = event.time});
      break;
    case Kind::ExecExit:
      (void)execs_.finish(event.exec_id, event.exit_code);  // unknown: an earlier daemon's
      tell_at(container_event(*record, "exec_die",
                              {{"execID", event.exec_id}, {"exitCode", std::to_string(event.exit_code)}}),
              event.time);
      break;
    case Kind::Restart:
      apply_restart(cell, event);
      break;
    case Kind::Health:
      apply_health(cell, event);
      break;
    case Kind::Oom:
      apply_oom(cell, event);
      break;
    case Kind::Detach:
      tell_at(container_event(*record, "detach"), event.time);
      break;
    case Kind::ExecDetach:
      tell_at(container_event(*record, "exec_detach", {{"execID", event.exec_id}}), event.time);
      break;
  }
}

void Core::shim_gone(const CellPtr& cell, uint64_t generation) {
  auto exit = shim::read_exit_record(shim_dir(cell->id));
  if (exit && exit->generation == generation) {
    for (const auto& event : exit->missed) take_event(cell, event);
    apply_exit(cell, generation,
               {.exit_code = exit->exit_code,
                .signal = exit->signal,
                .oom_killed = exit->oom_killed,
                .unhealthy = exit->unhealthy,
                .finished_at = exit->finished_at});
    return;
  }
  // The connection broke, not the shim: take it up again.
  auto connection = shim::connect_shim(shim_dir(cell->id));
  if (connection && (*connection)->generation() == generation) {
    return adopt_shim(cell, std::shared_ptr<shim::ShimConnection>(std::move(*connection)));
  }
  if (!connection && shim::is_busy(connection.error())) return await_shim(cell, generation);
  // Nobody saw the end: never a success. Whatever the container left is killed, or it would run without a parent.
  if (auto record = containers_.record(cell->id); record && record->generation == generation) {
    (void)cgroup_of(*record).kill_all();
  }
  apply_exit(
      cell, generation,
      {.exit_code = 137, .error = "container's shim was lost: its exit status is unknown", .finished_at = now_text()});
}

/// A shim that does not answer now still has its container.
void Core::await_shim(const CellPtr& cell, uint64_t generation) {
  loop_->after(std::chrono::seconds(1), [this, cell, generation] {
    workers_.post(cell->id, [this, cell, generation] {
      auto record = containers_.record(cell->id);
      if (record && record->generation == generation && !cell->connection()) shim_gone(cell, generation);
    });
  });
}

Event Core::die_event(const ContainerRecord& ended, const container::ExitFacts& exit,
                      std::chrono::milliseconds ran) const {
  auto attributes = container::ending_attributes(ended);
  attributes["exitCode"] = std::to_string(exit.exit_code);
  attributes["execDuration"] = std::to_string(ran.count() / 1000);
  auto event = container_event(ended, "die", std::move(attributes));
  set_time(event, exit.finished_at);
  return event;
}

void Core::apply_oom(const CellPtr& cell, const shim::ShimEvent& event) {
  auto locked = lock_cell(cell);
  if (!locked || locked->record->generation != event.generation) return;
  auto record = container::apply_oom(*locked->record, static_cast<int64_t>(event.memory_limit));
  Attributes limit;
  if (event.memory_limit > 0) limit["memoryLimit"] = std::to_string(event.memory_limit);
  auto happened = container_event(record, "oom", std::move(limit));
  set_time(happened, event.time);
  (void)save_what_happened(record, {std::move(happened)});
}

/// What the shim did while no daemon was there. The network is where it was.
void Core::apply_restart(const CellPtr& cell, const shim::ShimEvent& event) {
  auto locked = lock_cell(cell);
  if (!locked || locked->record->generation != event.generation) return;
  // Heard twice: from the shim, and from the record that it left before it knew that we had heard.
  if (locked->record->state.started_at == event.started_at) return;
  container::ExitFacts exit{.exit_code = event.exit_code,
                            .signal = event.signal,
                            .oom_killed = event.oom_killed,
                            .unhealthy = event.unhealthy,
                            .finished_at = event.time};
  auto ended = container::apply_exit(*locked->record, exit, true);
  auto record = container::apply_restart(*locked->record, exit, event.pid, event.started_at);
  record.state.restart_delay_ms = event.delay.count();
  start_health(record);
  auto ran = between(locked->record->state.started_at, exit.finished_at);
  std::vector<Event> events{die_event(ended, exit, ran), container_event(record, "start")};
  set_time(events[1], event.started_at);
  (void)save_what_happened(record, std::move(events));
}

void Core::apply_exit(const CellPtr& cell, uint64_t generation, const container::ExitFacts& exit) {
  auto locked = lock_cell(cell);
  if (!locked) return;
  const ContainerRecord& before = *locked->record;
  auto status = container::status_of(before);
  bool current =
      before.generation == generation && (status == container::Status::Running || status == container::Status::Paused);
  if (!current) return;
  auto ran = between(before.state.started_at, exit.finished_at);
  container::RestartPlan plan;
  if (!cell->user_restart && !shutting_down_ && !stopping_all_) {
    plan = container::plan_restart(before, exit, ran, std::chrono::milliseconds(before.state.restart_delay_ms));
  }
  {
    std::lock_guard lock(cell->live);
    cell->shim.reset();
  }
  auto record = container::apply_exit(before, exit, plan.restart);
  record.state.restart_delay_ms = plan.delay.count();
  std::vector<Event> events;
  events.push_back(die_event(record, exit, ran));
  for (const auto& endpoint : cell->endpoints) {
    events.push_back(network_event(endpoint.network_id, "disconnect", record.id));
  }
  for (auto& event : volume_events(record, "unmount")) events.push_back(std::move(event));
  for (auto& event : events) set_time(event, exit.finished_at);
  bool had_endpoints = !cell->endpoints.empty();
  // Before anybody hears of the exit: who was told may take the port at once.
  cell->netlink.reset();
  detach_after_exit(before, cell->endpoints);
  execs_.finish_all(record.id);
  auto saved = save_what_happened(record, std::move(events), [&]() -> Result<void> {
    return had_endpoints ? store::delete_document(*store_, "endpoints", record.id) : Result<void>();
  });
  // What the shim has recorded stays until the store has it: the next daemon would not know the exit.
  if (saved) (void)sys::remove_tree(shim_dir(record.id));
  after_exit(*locked, record, plan);
}

void Core::after_exit(Locked& locked, const ContainerRecord& record, const container::RestartPlan& plan) {
  bool remove = record.host_config.auto_remove && !locked.cell->user_restart && !shutting_down_;
  waiters_.notify_exit(record.id, {record.state.exit_code, record.state.error});
  // An exit that waited for this daemon has waited for its restart too.
  auto waited = between(record.state.finished_at, now_text());
  if (plan.restart) schedule_restart(locked.cell, std::max(plan.delay - waited, std::chrono::milliseconds(0)));
  if (!remove) return;
  // As a job of its own, after the shim has heard that its exit is recorded: its clients wait for that.
  workers_.post(record.id, [this, cell = locked.cell] {
    if (auto again = lock_cell(cell); again && !again->record->state.running()) {
      (void)remove_locked(*again, true);  // a failure leaves it "dead", for remove to try again
    }
  });
}

void Core::schedule_restart(const CellPtr& cell, std::chrono::milliseconds delay) {
  cell->restart_timer = loop_->after(delay, [this, cell] {
    workers_.post(cell->id, [this, cell] {
      auto locked = lock_cell(cell);
      if (!locked || container::status_of(*locked->record) != container::Status::Restarting) return;
      cell->restart_timer = 0;
      auto failed = start_locked(cell, container::begin_start(*locked->record));
      (void)failed;  // it is in the record, as Docker leaves it
    });
  });
}

}  // namespace sampan::engine
