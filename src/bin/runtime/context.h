#pragma once
// What every command of sampan-runtime gets, and the commands.

#include <optional>
#include <string>
#include <vector>

#include "bin/runtime/args.h"
#include "bin/runtime/store.h"
#include "cgroup/systemd.h"
#include "runtime/runtime.h"

namespace sampan::bin {

struct Context {
  Store store;
  Args args;  // of the command
  /// Tells the operator something that is no failure: into the log.
  void (*warn)(const std::string& text);
  bool debug = false;  // --debug: measure the steps of what is made
  /// Writes into the log what each step took; nothing unless they were measured.
  void log_timings(const std::vector<runtime::StepTime>& timings) const;
  void (*log_debug)(const std::string& text);
  bool systemd_cgroup = false;  // --systemd-cgroup: control groups are systemd's to make
  bool rootless = false;        // --rootless=true: control groups that cannot be made are none
};

/// A command answers with its exit status.
struct Command {
  std::string_view name, usage, help;
  std::span<const Flag> flags;
  Result<int> (*run)(Context&);
  /// Makes processes that go on to be a container's: they must not show it a program that it could overwrite.
  bool enters = false;
};
std::span<const Command> lifecycle_commands();  // create, run, start, delete, kill, pause, resume
std::span<const Command> exec_commands();       // exec
std::span<const Command> show_commands();       // state, list, ps, spec
std::span<const Command> events_commands();     // events
std::span<const Command> features_commands();   // features
std::span<const Command> update_commands();     // update

/// To the standard output; a reader that has gone wants no more.
void print(std::string_view text);

std::span<const Command> checkpoint_commands();  // checkpoint, restore

/// The one positional argument. Errors: InvalidArgument.
Result<std::string> container_id(const Context& context);

/// A spec with what sampan-runtime adds: the root filesystem, the compiled seccomp program from the cache.
struct Bundle {
  oci::Spec spec;
  std::string path, rootfs;
  uint32_t owner_uid = 0;                 // who calls: create() may make that the root of a user namespace
  std::optional<cgroup::UnitPlace> unit;  // with --systemd-cgroup; linux.cgroupsPath is its path then
};
Result<Bundle> load_bundle(const std::string& path);
/// By its type, or by an option whatever its type says.
bool is_bind(const oci::Mount& mount);
/// What is to be remembered of a container, but for its process.
Record record_of(const Bundle& bundle, const std::string& id);
/// The same of one whose init runs now. Errors: Unavailable when it has gone.
Result<Record> record_of(const Bundle& bundle, const std::string& id, pid_t pid);
/// The compiled section: from <root>/.seccomp-cache when it was compiled before.
Result<runtime::SeccompProgram> cached_seccomp(const std::string& root, const oci::Seccomp& section);

/// Makes linux.cgroupsPath absolute: with --systemd-cgroup it is read as "slice:prefix:name". Errors: InvalidArgument.
Result<void> place_cgroups(const Context& context, Bundle& bundle, const std::string& id);
/// The scope of a bundle that has a unit, while its container is made.
class ContainerScope {
 public:
  static Result<ContainerScope> start(const Bundle& bundle);
  /// What the container is to be created by: the bundle's, without the limit on tasks where the scope sets it later.
  const oci::Spec& spec() const { return held_ ? *held_ : bundle_->spec; }
  /// Call it when init was born.
  Result<void> settle(const cgroup::Cgroup& cgroups);

 private:
  explicit ContainerScope(const Bundle& bundle) : bundle_(&bundle) {}
  const Bundle* bundle_;
  std::optional<oci::Spec> held_;
  std::optional<cgroup::SystemdScope> scope_;
};
/// Lets systemd forget the container's unit, where it has one.
Result<void> stop_scope(const Record& record);

/// Sends the terminal's master to whoever listens there (runc's --console-socket).
Result<void> send_console(const std::string& socket_path, int master);
/// Waits for the process in the foreground: relays its terminal when it has one, forwards signals, reaps it.
Result<int> attend(runtime::Process& process);
/// Signals that attend() reads must be blocked before the process is made.
void hold_signals();
Result<void> write_pid_file(const std::string& path, pid_t pid);
/// Descriptors 3, 4, ... that a container gets: those that a service manager handed down, then --preserve-fds.
Result<std::vector<int>> preserved(const Args& args, int handed_down = 0);
/// How many descriptors a service manager handed to this very process ($LISTEN_FDS, $LISTEN_PID).
/// Source: sd_listen_fds(3).
int handed_down_descriptors();
std::string now_text();
Result<int> parse_signal(const std::string& text);

}  // namespace sampan::bin
