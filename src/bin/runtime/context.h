#pragma once
// What every command of sampan-runtime gets, and the commands.

#include <optional>
#include <string>
#include <vector>

#include "bin/runtime/args.h"
#include "bin/runtime/store.h"
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

/// The one positional argument. Errors: InvalidArgument.
Result<std::string> container_id(const Context& context);

/// A spec with what sampan-runtime adds: the root filesystem, the compiled seccomp program from the cache.
struct Bundle {
  oci::Spec spec;
  std::string path, rootfs;
};
Result<Bundle> load_bundle(const std::string& path);
/// The compiled section: from <root>/.seccomp-cache when it was compiled before.
Result<runtime::SeccompProgram> cached_seccomp(const std::string& root, const oci::Seccomp& section);

/// Sends the terminal's master to whoever listens there (runc's --console-socket).
Result<void> send_console(const std::string& socket_path, int master);
/// Waits for the process in the foreground: relays its terminal when it has one, forwards signals, reaps it.
Result<int> attend(runtime::Process& process);
/// Signals that attend() reads must be blocked before the process is made.
void hold_signals();
Result<void> write_pid_file(const std::string& path, pid_t pid);
Result<std::vector<int>> preserved(const Args& args);
std::string now_text();
Result<int> parse_signal(const std::string& text);

}  // namespace sampan::bin
