#pragma once
// shim: one warm single-threaded zygote that forks one small shim per container, and the daemon's side of talking to
// them.
//
//   sampand --(socketpair, posix_spawn)--> zygote --(fork)--> shim --(clone)--> init of the container
//
// The zygote lives as long as its daemon's end of the socketpair; a shim outlives both. A shim owns the container's
// stdio, log, exit status and terminal; it listens on <dir>/shim.sock, and before it goes it leaves <dir>/exit.json:
//   {"generation":3,"exit_code":137,"signal":9,"oom_killed":false,"finished_at":"..."}
// written to a temporary name, synced by rename, so an unknown exit is never taken for success. Events that no daemon
// has acknowledged by then (oom, ends of execs, detaches) stand in it too, with their times ("journal"); while the shim
// lives they wait in its memory, at most 1024 of them. A daemon that dies between acting and acknowledging hears one
// twice.
//
// Wire: SOCK_SEQPACKET; one JSON message per packet, descriptors beside it; large payloads travel in a memfd.
// messages.h has the picture of the protocol and its types.
//
// Threads: the daemon side (Zygote, ShimConnection) is thread-safe and blocking; every call takes a deadline of its
// own.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "logs/logs.h"
#include "oci/spec.h"
#include "runtime/runtime.h"
#include "shim/health.h"
#include "shim/restart.h"
#include "sys/fd.h"

namespace sampan::shim {

/// A health check: what is run inside the container, and when.
struct HealthCheck {
  HealthTiming timing;
  oci::Process process;
  std::string user;
  /// Beyond Docker: a container that has become unhealthy is ended, as by `stop`, for its restart policy to start anew.
  bool end_unhealthy = false;
  int stop_signal = 15;
  std::chrono::milliseconds stop_timeout{10'000};
};

struct StartRequest {
  std::string id;
  uint64_t generation = 0;
  std::string dir;  // <exec-root>/shim/<id>, made by the shim
  oci::Spec spec;
  oci::Mount rootfs;
  std::string user;
  std::vector<std::string> group_add;
  std::string cgroup_path;
  std::string init_path;
  bool tty = false, open_stdin = false, stdin_once = false;
  logs::WriterOptions log;
  std::optional<runtime::SeccompProgram> seccomp;
  sys::NsFd netns;  // joined when valid
  std::optional<HealthCheck> health;
  RestartRule restart;                       // applied by the shim when no daemon is there, or none that answers
  std::string restore_images, restore_work;  // made from this checkpoint, with CRIU's log in `restore_work`
};

/// How an attach or exec client is wired. The descriptor is the client's own connection (already upgraded).
struct AttachOptions {
  bool stdin_ = false, stdout_ = false, stderr_ = false;
  bool multiplexed = true;     // 8-byte frames; false for a terminal
  std::string detach_keys;     // "ctrl-p,ctrl-q"; "" never detaches
  std::string leftover_input;  // bytes that came with the request
};

struct ExecRequest {
  std::string exec_id;
  oci::Process process;
  std::string user;
  bool privileged = false;
  std::optional<runtime::SeccompProgram> seccomp;
  bool tty = false;
  bool detach = false;
  AttachOptions attach;
};

/// What a shim reports by itself.
struct ShimEvent {
  enum class Kind { Exit, ExecExit, Oom, Detach, ExecDetach, Health, Restart } kind = Kind::Exit;
  uint64_t generation = 0;
  std::string exec_id;
  int exit_code = 0;
  int signal = 0;  // that ended the process, 0: it exited
  bool oom_killed = false;
  uint64_t memory_limit = 0;  // of an Oom: the limit that was hit; 0: the container has none of its own
  std::string time;           // RFC 3339
  bool unhealthy = false;     // Exit: the shim ended it because of its health
  // Of a probe that has ended at `time`; its exit code is -1 when it ran out of time or could not run.
  Health health;
  bool health_changed = false;  // another status than before
  std::string started_at, output;
  // Restart: the container has ended (as Exit tells it) while no daemon ran, or none that answered, and its shim has
  // started it again.
  int64_t pid = 0;  // since `started_at`
  // Exit: after which the shim starts it again unless the exit is claimed, 0: it does not. Restart: what was waited.
  std::chrono::milliseconds delay{0};
};

/// The exit record on disk. Errors: NotFound; DataLoss when it cannot be read.
struct ExitRecord {
  uint64_t generation = 0;
  int exit_code = 0;
  int signal = 0;
  bool oom_killed = false, unhealthy = false;
  std::string finished_at;
  std::vector<ShimEvent> missed;  // what happened before, and no daemon has acknowledged
};
Result<ExitRecord> read_exit_record(const std::string& dir);

struct Started {
  pid_t pid = 0;
  std::vector<std::string> warnings;
};

/// The daemon's connection to one shim.
class ShimConnection {
 public:
  virtual ~ShimConnection() = default;
  /// Readable when next_event() has something; end of file is an event-less close (read the exit record then).
  virtual int event_fd() const = 0;
  /// nullopt: nothing now. Errors: Unavailable when the shim has gone. Call it until it says nullopt: coming back is
  /// what tells the shim that the last event has been acted on, and an attached client sees the end of its stream (and
  /// asks for the exit code) only after that, or four seconds later.
  virtual Result<std::optional<ShimEvent>> next_event() = 0;

  virtual pid_t init_pid() const = 0;
  virtual uint64_t generation() const = 0;
  /// Of the messages that the shim understands (messages.h); a shim of an earlier build knows fewer.
  virtual int protocol() const = 0;
  enum class Ends { No, Yes };  // Yes: no restart of the shim's own undoes it
  virtual Result<void> signal(int signal, Ends ends = Ends::No) = 0;
  virtual Result<void> resize(const std::string& exec_id, uint16_t rows, uint16_t columns) = 0;  // "" is init
  /// Hands the client's connection to the shim, which serves it to its end.
  virtual Result<void> attach(sys::Fd client, const AttachOptions& options) = 0;
  /// Starts a further process; returns after its execve. With detach no client is needed.
  virtual Result<pid_t> exec(const ExecRequest& request, std::optional<sys::Fd> client) = 0;
  virtual Result<void> signal_exec(const std::string& exec_id, int signal) = 0;
  enum class LeaveRunning { No, Yes };
  /// Has CRIU write the container's processes into the directory `images`, which appears when it is complete; unless
  /// they are left running, they end by it. Blocks: while CRIU works. Errors: CRIU's first complaint.
  virtual Result<void> checkpoint(const std::string& images, const std::string& work, LeaveRunning leave_running) = 0;

  /// Takes the Exit that next_event() has just told: true when what follows is the caller's to decide, for the shim
  /// will not start the container again while this connection lives; false when it has done so already (a Restart
  /// follows). Errors: Unavailable when the shim has gone: what it did before is in the next events, and in its exit
  /// record.
  virtual Result<bool> claim_exit() = 0;
  /// The container was frozen and runs again: a probe that met the pause gets its whole time anew.
  virtual Result<void> thawed() = 0;
  /// What the shim's own next start is made of, its restart rule first of all; `netns` as in the running container.
  virtual Result<void> update(const StartRequest& next) = 0;
};

/// Two-phase start: create() returns with init waiting before execve, so that clients attach first and nothing is lost.
class Zygote {
 public:
  virtual ~Zygote() = default;
  /// Forks a shim and creates the container. The connection is live; start() releases init.
  virtual Result<std::unique_ptr<ShimConnection>> create(StartRequest request) = 0;
  virtual Result<Started> start(ShimConnection& connection) = 0;

  struct Netns {
    sys::NsFd ns;
    sys::Fd netlink;  // a NETLINK_ROUTE socket inside it; loopback is up
  };
  /// A fresh network namespace, from a small pool that the zygote keeps warm. With mappings it belongs to a user
  /// namespace that has them, which a container with the namespace then joins (StartRequest::netns).
  virtual Result<Netns> make_netns(const oci::UserMappings& owner = {}) = 0;
  /// The same, owned by a user namespace that is there already.
  virtual Result<Netns> make_netns_in(const sys::NsFd& userns) = 0;
  /// A NETLINK_ROUTE socket inside a namespace that is there already: for containers that an earlier daemon started.
  virtual Result<sys::Fd> open_netlink(const sys::NsFd& ns) = 0;
};

/// Spawns `program zygote` (posix_spawn: the one process that the daemon itself starts).
Result<std::unique_ptr<Zygote>> spawn_zygote(const std::string& program, const std::string& exec_root);
/// Reconnects to a shim of an earlier daemon. Errors: NotFound or Unavailable when it has gone; see is_busy().
Result<std::unique_ptr<ShimConnection>> connect_shim(const std::string& dir,
                                                     std::chrono::milliseconds patience = std::chrono::seconds(10));
/// The error is no sign that the shim has gone: it listens and does not answer (somebody stopped it, or the host is too
/// busy), or the asker lacks the means to ask. Another time may do.
bool is_busy(const Error& error);

/// The program: `sampan-shim zygote FD`. Returns the exit status.
int shim_main(int argc, char** argv);

}  // namespace sampan::shim
