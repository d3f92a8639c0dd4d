#pragma once
// shim/shim_process: the whole of one shim: it makes the container, waits for `start`, serves streams, attach, exec and
// signals, records the exit, and goes.
//
//   create() --start--> running --init exits--> record, destroy, Exit event --clients served, event acknowledged--> end
//      \-- no daemon left before start, or the directory gone --> destroy, end

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/cgroup.h"
#include "cgroup/oom_watch.h"
#include "runtime/checkpoint.h"
#include "runtime/runtime.h"
#include "shim/internal/links.h"
#include "shim/internal/streams.h"
#include "sys/process.h"

namespace sampan::shim {

/// What the zygote hands to a new shim.
struct ShimInput {
  sys::Fd reply;  // of the `create` request
  sys::Fd link;   // the daemon's connection
  sys::Fd payload;
  sys::NsFd netns;  // invalid: as the specification says
};

/// What a container and its execs leave behind for the end of their clients.
struct EndedProcess {
  std::unique_ptr<ProcessStreams> streams;
  uint64_t event = 0;
  Clock::time_point ended;
  bool finishing = false;
};

class ShimProcess {
 public:
  explicit ShimProcess(EventLoop loop, const cgroup::HostCgroups& host);
  ~ShimProcess();
  /// Called with the container's id once it is known.
  void on_named(std::function<void(const std::string&)> named) { named_ = std::move(named); }
  /// Runs to the container's end; returns the shim's exit status.
  int run(ShimInput input);

 private:
  struct Running final : Handler {
    ShimProcess* shim = nullptr;
    std::string exec_id;  // "" is init
    pid_t pid = 0;
    sys::PidFd pidfd;
    Watch watch;
    std::unique_ptr<ProcessStreams> streams;
    bool ended = false;
    void on_ready(uint32_t) override { shim->on_process_ended(*this); }
  };

  /// Hears of it when memory runs out inside, and remembers what was told.
  struct MemoryAlarm final : Handler {
    ShimProcess* shim = nullptr;
    std::optional<cgroup::OomWatch> events;
    Watch watch;
    uint64_t before = 0;  // kills that the cgroup counted before this container
    uint64_t told = 0;    // events sent
    uint64_t kills = 0;   // of this container
    void on_ready(uint32_t) override { shim->on_memory_event(); }
    void stop() {
      watch.reset();
      events.reset();
    }
  };

  /// A dump that CRIU works at.
  struct Checkpoint final : Handler {
    ShimProcess* shim = nullptr;
    sys::Child child;
    Watch watch;
    runtime::Criu criu;
    std::string images;  // what the directory is renamed to
    sys::Fd answer;      // of the request; valid while it lasts
    void on_ready(uint32_t) override { shim->on_checkpoint_ended(); }
  };

  /// The probes of the container's health.
  struct HealthProbes {
    std::optional<HealthCheck> check;  // its process is in `payload`
    sys::Fd payload;                   // of the exec, ready to be read; nothing of it stays in our memory
    Health health;
    Clock::time_point container_started, next;
    // While a probe runs:
    Running* process = nullptr;
    Clock::time_point deadline;
    bool timed_out = false, met_pause = false;
    std::string started_at, output;
    // When the container is ended because of its health:
    bool ending = false;
    Clock::time_point kill_at;
  };
  static constexpr const char* kProbeId = "health";

  // create.cc
  Result<Reply> create(ShimInput& input);
  Result<void> prepare_directory();
  Result<void> create_container(Payload<StartMessage>& payload);
  void abandon();

  // requests.cc
  void on_request(sys::Packet packet);
  Result<Reply> serve(const Request& request, sys::Packet& packet);
  Result<Reply> hello();
  Result<Reply> start();
  Result<Reply> attach(const Request& request, sys::Packet& packet);
  Result<Reply> signal(const std::string& exec_id, int number);
  Result<Reply> exec(const Request& request, sys::Packet& packet);
  Result<Running*> run_exec(Payload<ExecMessage>& payload, StreamOptions stream_options);
  Running* find(const std::string& exec_id);

  // checkpoint.cc
  Result<void> begin_checkpoint(const Request& request, sys::Fd answer);
  Result<runtime::Criu> checkpoint_command(const Request& request, const std::string& images);
  void on_checkpoint_ended();
  Result<std::unique_ptr<runtime::Container>> restore_container(const StartMessage& message,
                                                                const runtime::CreateOptions& options);

  // probe.cc
  Result<void> plan_health(StartMessage& message, const std::optional<runtime::SeccompProgram>& seccomp);
  void begin_health();
  void tick_health(Clock::time_point now);
  std::optional<Clock::time_point> health_deadline() const;
  void start_probe(Clock::time_point now);
  void end_probe(int exit_code);
  bool frozen() const;
  void on_thawed();
  void end_unhealthy();
  bool in_start_period() const;

  // exit.cc
  void on_process_ended(Running& process);
  void look_for_ends();
  void on_exec_ended(Running& process, const sys::ExitStatus& status);
  void on_init_ended(const sys::ExitStatus& status);
  void drain_all();
  void end_execs();

  // restart.cc
  void keep_for_restart(const StartMessage& message, sys::Fd payload);
  Result<Reply> update(const Request& request, sys::Packet& packet);
  Reply claim(uint64_t exit_event);
  void plan_own_restart(const WireExit& exit);
  bool awaits_restart() const;
  std::optional<Clock::time_point> restart_deadline() const;
  void tick_restart(Clock::time_point now);
  Result<void> run_again();
  void give_up_run();

  // memory.cc
  void watch_memory();
  void on_memory_event();
  void check_memory();
  void tell_oom(uint64_t count);

  int run_loop();
  void tick(Clock::time_point now);
  void tick_ended(Clock::time_point now);
  int timeout_ms(Clock::time_point now) const;
  void on_idle();
  bool finished() const;

  EventLoop loop_;
  const cgroup::HostCgroups& host_;
  ScratchBuffer scratch_;
  DaemonLinks links_;
  std::unique_ptr<logs::Writer> log_;
  std::unique_ptr<runtime::Container> container_;
  Running init_;
  MemoryAlarm memory_;
  HealthProbes probes_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::vector<std::string> bind_mounts_;  // their destinations, for a checkpoint
  bool restored_ = false;

  /// What a restart needs, kept when one may come: while no daemon is there, or none that answers, it is the shim's to
  /// do.
  struct OwnRestart {
    sys::Fd payload;  // of `create`
    sys::NsFd netns;
    RestartRule rule;
    bool forbidden = false;  // a client asked for the end
    Clock::time_point started;
    // After an exit:
    bool planned = false, claimed = false;
    Clock::time_point ended, at;
    uint64_t exit_event = 0;
    WireExit exit;
  };
  OwnRestart again_;
  std::vector<std::unique_ptr<Running>> execs_;
  std::vector<EndedProcess> ended_;

  std::function<void(const std::string&)> named_;
  std::string id_, dir_;
  sys::DirFd dir_fd_;
  uint64_t generation_ = 0;
  std::optional<int32_t> oom_score_adj_;
  std::vector<std::string> warnings_;
  bool pollable_ = true;  // the descriptors of processes
  bool running_ = false, exited_ = false, gone_ = false;
  bool dirty_ = true;  // memory was used since the last time we gave some back
};

}  // namespace sampan::shim
