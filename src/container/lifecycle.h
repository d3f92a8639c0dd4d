#pragma once
// container/lifecycle: the state machine of a container's life, as pure functions on records. No I/O, no clock.
//
//              start               exit                       remove
//   created ----------> running ----------> exited ----------------------> removing -> (gone)
//                        |   ^  \             ^  |  start                      |
//                  pause |   | unpause        |  +------> running             | failed
//                        v   |     \ exit + restart policy                    v
//                       paused      +-> restarting --timer--> running        dead
//
// The engine writes the record that a function here returns before it acts on it, and never invents a status itself.
// Both what may happen and what follows are rows of one table (lifecycle.cc). A can_ function asks it for one verb, and
// refuses in the words that Docker's clients match.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "container/record.h"
#include "shim/restart.h"

namespace sampan::container {

enum class Status { Created, Running, Paused, Restarting, Removing, Exited, Dead };
/// "running", ...
const char* status_name(Status status);
/// nullopt for a word that is no status.
std::optional<Status> find_status(std::string_view word);
/// The record's status; an unknown word (a damaged record) counts as Dead.
Status status_of(const ContainerRecord& record);

/// What happens to a container, and what is asked of it.
enum class Incident {
  Start,
  StartFailed,
  Exit,
  ExitForRestart,
  StopRestarting,
  Pause,
  Unpause,
  Remove,
  RemovalFailed,
  // These leave the status as it is; what they lead to is an incident of its own.
  Stop,
  Kill,
  Exec,
  Resize,
  Attach,
  Rename,
  Update,
};
/// The status after the incident; nullopt when it cannot happen in this status.
std::optional<Status> next_status(Status now, Incident incident);

// --- legality ---------------------------------------------------------------------------------------------------
/// Whether the table has a row for it. Errors: Conflict, or NotModified where it would change nothing.
Result<void> can(const ContainerRecord& record, Incident incident);
/// Errors: NotModified (it runs), Conflict (paused, removing, dead).
Result<void> can_start(const ContainerRecord& record);
/// Errors: NotModified (it does not run).
Result<void> can_stop(const ContainerRecord& record);
/// Errors: Conflict.
Result<void> can_kill(const ContainerRecord& record);
Result<void> can_pause(const ContainerRecord& record);
Result<void> can_unpause(const ContainerRecord& record);
Result<void> can_exec(const ContainerRecord& record);
Result<void> can_resize(const ContainerRecord& record);
Result<void> can_attach(const ContainerRecord& record);
/// `force` lets running containers pass: the caller kills them first.
Result<void> can_remove(const ContainerRecord& record, bool force);

// --- transitions ------------------------------------------------------------------------------------------------
struct ExitFacts {
  int64_t exit_code = 0;
  int64_t signal = 0;  // that ended init
  bool oom_killed = false;
  bool unhealthy = false;   // the shim ended it because its health check failed
  std::string error;        // the end that nobody saw
  std::string finished_at;  // RFC 3339
};
/// The record to write before a start is tried: a new generation, no trace of the last run.
ContainerRecord begin_start(ContainerRecord record);
ContainerRecord apply_started(ContainerRecord record, int64_t pid, std::string started_at);
/// A start that failed leaves the status as it was (created, exited), with the error and Docker's exit code for it.
/// `step` is what it was doing, `path` the file it was about.
ContainerRecord apply_start_failure(ContainerRecord record, const std::string& error, std::string step = {},
                                    std::string path = {});
/// Memory ran out inside while it ran.
ContainerRecord apply_oom(ContainerRecord record, int64_t memory_limit);
ContainerRecord apply_exit(ContainerRecord record, const ExitFacts& exit, bool restarting);
/// The shim has started it again by itself, in the same place: the end of the one run and the beginning of the next.
ContainerRecord apply_restart(ContainerRecord record, const ExitFacts& exit, int64_t pid, std::string started_at);
/// The record after an incident that changes nothing but its status; the same one when the table has no row for it.
ContainerRecord apply_incident(ContainerRecord record, Incident incident);

/// 127 when the program is missing, 126 when it cannot be executed, 128 for anything else: from the runtime's words.
int start_failure_code(std::string_view error);

// --- restart policy ---------------------------------------------------------------------------------------------
using shim::RestartPlan;
shim::RestartRule restart_rule(const ContainerRecord& record);
/// After an exit: whether and when the container is started again. The delay doubles from 100 ms to a minute and begins
/// anew when the run lasted 10 s. `previous` is the delay used last, 0 for none.
/// A container that was ended for its health is started again whatever its exit code, also without a policy, unless a
/// limited one is used up.
RestartPlan plan_restart(const ContainerRecord& record, const ExitFacts& exit, std::chrono::milliseconds ran,
                         std::chrono::milliseconds previous);
/// The option beyond Docker: the annotation, or label, "sampan.restart-unhealthy" is "true".
bool restarts_unhealthy(const ContainerRecord& record);
/// Whether a container that does not run is started when the daemon starts.
bool restarts_with_daemon(const ContainerRecord& record);
/// Errors: InvalidArgument with Docker's words (unknown policy, count without on-failure, with auto-remove).
Result<void> validate_restart_policy(const RestartPolicy& policy, bool auto_remove);

}  // namespace sampan::container
