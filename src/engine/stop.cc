// Ending a run: stop, kill, restart; and pause, which is a stop that can be taken back.

#include <signal.h>

#include <condition_variable>

#include "engine/internal/core.h"

namespace sampan::engine {

bool is_group_gone(const Error& error) {
  return error.errno_value() == ENOENT || error.errno_value() == ENODEV;
}

namespace {

/// One exit to wait for on this thread, armed before the signal that causes it.
class ExitWait {
 public:
  ExitWait(Waiters& waiters, const std::string& id)
      : handle_(waiters.add(id, false, [state = state_](WaitResult) {
          std::lock_guard lock(state->mutex);
          state->exited = true;
          state->changed.notify_all();
        })) {}

  /// nullopt: for ever.
  bool wait(std::optional<std::chrono::seconds> patience) {
    std::unique_lock lock(state_->mutex);
    auto done = [&] { return state_->exited; };
    if (patience) return state_->changed.wait_for(lock, *patience, done);
    state_->changed.wait(lock, done);
    return true;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool exited = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::shared_ptr<void> handle_;
};

constexpr int kDefaultStopTimeout = 10;  // seconds
constexpr std::chrono::seconds kKillPatience{10};

int signal_number(const ContainerRecord& record, int signal) {
  return signal != 0 ? signal : container::stop_signal(record.config);
}

Result<void> while_running(Result<void> done, const ContainerRecord& record) {
  if (done || !is_group_gone(done.error())) return done;
  return fail(Code::Conflict, "container {} is not running", record.id);
}

Result<int> parse_optional_signal(const std::string& signal) {
  if (signal.empty()) return 0;
  return container::parse_signal(signal);
}

}  // namespace

/// Writes what the signal means first, then sends it. A container that waits for its restart just stops waiting.
Result<void> Core::signal_container(Locked& locked, int signal, Meaning meaning) {
  ContainerRecord record = *locked.record;
  bool ends = meaning != Meaning::JustSignal || signal == SIGKILL || signal == container::stop_signal(record.config);
  if (container::status_of(record) == container::Status::Restarting) {
    if (meaning == Meaning::Leave) return {};
    if (!ends) return container::can_exec(record);
    loop_->cancel(std::exchange(locked.cell->restart_timer, 0));
    record.manually_stopped = true;
    TRY(save(container::apply_incident(record, container::Incident::StopRestarting), {}));
    waiters_.notify_exit(record.id, {record.state.exit_code, record.state.error});
    return {};
  }
  auto connection = locked.cell->connection();
  if (!connection) return fail(Code::Conflict, "container {} is not running", record.id);
  if (ends && !record.manually_stopped) {
    record.manually_stopped = meaning != Meaning::Leave;
    record.state.ending.asked = signal == SIGKILL ? "kill" : "stop";
    TRY(save(record, {}));
  }
  auto sent = connection->signal(signal, ends ? shim::ShimConnection::Ends::Yes : shim::ShimConnection::Ends::No);
  // An exit that is under way has not reached the record yet: the caller's wait ends with it.
  bool on_its_way = sent || sent.error().code() == Code::Unavailable || sent.error().errno_value() == ESRCH ||
                    (ends && sent.error().code() == Code::Conflict);
  // A shim that is stuck does not save anybody from SIGKILL: kill_and_wait goes on without it.
  bool escalates = !sent && signal == SIGKILL && sent.error().code() == Code::DeadlineExceeded;
  if (!on_its_way && !escalates) return sent;
  if (signal == SIGKILL) locked.cell->killed_generation = record.generation;
  tell(container_event(record, "kill", {{"signal", std::to_string(signal)}}));
  // A frozen process takes no signal before it thaws.
  if (ends && container::status_of(record) == container::Status::Paused) {
    auto thawed = cgroup_of(record).thaw();
    if (!thawed && !is_group_gone(thawed.error())) return thawed;
    TRY(save(container::apply_incident(record, container::Incident::Unpause), {}));
  }
  return {};
}

Result<void> Core::kill_and_wait(const std::string& id, Meaning meaning) {
  ExitWait exit(waiters_, id);
  {
    auto cell = containers_.cell(id);
    if (!cell) return {};
    auto locked = TRY(lock_cell(cell));
    if (!locked.record->state.running()) return {};
    TRY(signal_container(locked, SIGKILL, meaning));
  }
  if (exit.wait(kKillPatience)) return {};
  // The shim has not answered: the processes are killed without it.
  if (auto record = containers_.record(id)) (void)cgroup_of(*record).kill_all();
  if (exit.wait(kKillPatience)) return {};
  return fail(Code::DeadlineExceeded, "tried to kill container, but did not receive an exit event");
}

/// The signal, the wait, and SIGKILL for what did not listen. The lock is not held while it waits.
Result<void> Core::end_run(const std::string& name, int signal, std::optional<int> timeout) {
  auto found = TRY(containers_.get(name));
  ExitWait exit(waiters_, found.record->id);
  int patience = kDefaultStopTimeout;
  {
    auto locked = TRY(lock_container(name));
    TRY(container::can_stop(*locked.record));
    patience = timeout.value_or(static_cast<int>(locked.record->config.stop_timeout.value_or(kDefaultStopTimeout)));
    TRY(signal_container(locked, signal_number(*locked.record, signal), Meaning::End));
  }
  auto limit = patience < 0 ? std::nullopt : std::optional(std::chrono::seconds(patience));
  if (exit.wait(limit)) return {};
  return kill_and_wait(found.record->id);
}

void Core::stop_all() {
  stopping_all_ = true;
  struct Ending {
    std::string id;
    ExitWait exit;
    std::optional<std::chrono::steady_clock::time_point> deadline;
  };
  std::vector<Ending> endings;
  // Everybody hears of it before anybody is waited for.
  for (const auto& record : containers_.list()) {
    if (!record->state.running() || record->state.pid == 0) continue;
    Ending ending{record->id, ExitWait(waiters_, record->id), {}};
    auto patience = record->config.stop_timeout.value_or(kDefaultStopTimeout);
    if (patience >= 0) ending.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(patience);
    auto locked = lock_cell(containers_.cell(record->id));
    if (!locked || !locked->record->state.running()) continue;
    if (signal_container(*locked, container::stop_signal(record->config), Meaning::Leave))
      endings.push_back(std::move(ending));
  }
  for (auto& ending : endings) {
    std::optional<std::chrono::seconds> left;
    if (ending.deadline) {
      auto rest = std::chrono::ceil<std::chrono::seconds>(*ending.deadline - std::chrono::steady_clock::now());
      left = std::max(rest, std::chrono::seconds(0));
    }
    if (!ending.exit.wait(left)) (void)kill_and_wait(ending.id, Meaning::Leave);  // what survives that, runs on
    if (auto record = containers_.record(ending.id)) tell(container_event(*record, "stop"));
  }
}

Result<void> Core::stop_container(const std::string& name, std::optional<int> timeout, const std::string& signal) {
  int number = TRY(parse_optional_signal(signal));
  auto record = TRY(get_container(name));
  TRY_CONTEXT(end_run(name, number, timeout), "cannot stop container: " + name);
  tell(container_event(*record, "stop"));
  return {};
}

Result<void> Core::kill_container(const std::string& name, const std::string& signal) {
  int number = TRY(parse_optional_signal(signal));
  if (number == 0) number = SIGKILL;
  std::string id;
  {
    auto locked = TRY(lock_container(name));
    TRY(container::can_kill(*locked.record));
    id = locked.cell->id;
    if (number != SIGKILL) return signal_container(locked, number, Meaning::JustSignal);
  }
  return kill_and_wait(id);
}

Result<void> Core::restart_container(const std::string& name, std::optional<int> timeout, const std::string& signal) {
  int number = TRY(parse_optional_signal(signal));
  auto found = TRY(containers_.get(name));
  auto mark = [&](bool value) {
    std::lock_guard lock(found.cell->operation);
    found.cell->user_restart = value;
  };
  mark(true);
  auto ended = end_run(name, number, timeout);
  mark(false);
  if (!ended && ended.error().code() != Code::NotModified) return ended;
  if (ended) {
    if (auto record = containers_.record(found.record->id)) tell(container_event(*record, "stop"));
  }
  auto started = start_container(found.record->id);
  // Somebody else may have started it first: it runs anew all the same.
  if (!started && started.error().code() != Code::NotModified) {
    return std::move(started).error().context("Cannot restart container " + name);
  }
  if (auto record = containers_.record(found.record->id)) tell(container_event(*record, "restart"));
  return {};
}

Result<void> Core::pause_container(const std::string& name) {
  auto locked = TRY(lock_container(name));
  TRY(container::can_pause(*locked.record));
  // Frozen on its way out, it could not end before somebody thawed it.
  if (locked.cell->killed_generation == locked.record->generation)
    return fail(Code::Conflict, "container {} is not running", locked.record->id);
  TRY(while_running(cgroup_of(*locked.record).freeze(), *locked.record));
  auto record = container::apply_incident(*locked.record, container::Incident::Pause);
  auto saved = save(record, {container_event(record, "pause")});
  if (!saved) (void)cgroup_of(record).thaw();  // a container that is frozen and says "running" helps nobody
  return saved;
}

Result<void> Core::unpause_container(const std::string& name) {
  auto locked = TRY(lock_container(name));
  TRY(container::can_unpause(*locked.record));
  TRY(while_running(cgroup_of(*locked.record).thaw(), *locked.record));
  if (auto connection = locked.cell->connection()) (void)connection->thawed();  // one that has gone probes no more
  auto record = container::apply_incident(*locked.record, container::Incident::Unpause);
  return save(record, {container_event(record, "unpause")});
}

}  // namespace sampan::engine
