// sampan-runtime: the OCI runtime command line over runtime/, a drop-in for runc.
#include <fcntl.h>
#include <unistd.h>

#include "bin/runtime/context.h"
#include "codec/json.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

constexpr Flag kGlobalFlags[] = {
    {"root", "", Takes::Value, "root directory for storage of container state (default: /run/sampan-runtime)"},
    {"log", "", Takes::Value, "set the log file to write logs to (default: stderr)"},
    {"log-format", "", Takes::Value, "set the log format: text or json"},
    {"debug", "", Takes::Nothing, "log more"},
    {"systemd-cgroup", "", Takes::Nothing, "not supported: control groups are made directly"},
    {"rootless", "", Takes::Value, "only \"false\" and \"auto\": this runtime needs root"},
    {"help", "h", Takes::Nothing, "show help"},
    {"version", "v", Takes::Nothing, "print the version"},
};

/// Where errors and warnings go: the standard error, and the log file that a caller like a container manager reads.
struct Log {
  sys::Fd file;
  bool json = false;
} g_log;  // one program, one log; a warning's way to it is a plain function

std::string log_line(std::string_view level, const std::string& text) {
  if (g_log.json)
    return codec::format_json(codec::json::object{{"level", level}, {"msg", text}, {"time", now_text()}}) + "\n";
  return fmt::format("time=\"{}\" level={} msg={}\n", now_text(), level, codec::format_json(codec::json::value(text)));
}

void write_log(std::string_view level, const std::string& text) {
  int fd = g_log.file.valid() ? g_log.file.get() : 2;
  (void)sys::write_all(fd, log_line(level, text));
}

void warn(const std::string& text) {
  write_log("warning", text);
}

void log_debug(const std::string& text) {
  write_log("debug", text);
}

int report(const Error& error) {
  std::string text = error.message();
  write_log("error", text);
  if (g_log.file.valid()) (void)sys::write_all(2, text + "\n");
  return 1;
}

template <typename Use>
void for_each_command(Use use) {
  for (auto group : {lifecycle_commands(), exec_commands(), show_commands(), update_commands()})
    for (const auto& command : group) use(command);
}

void print_help() {
  std::string text =
      "sampan-runtime - run containers by the Open Container Initiative's specification\n\nUSAGE:\n"
      "   sampan-runtime [global options] command [command options] [arguments...]\n\nCOMMANDS:\n";
  for_each_command([&](const Command& command) { text += fmt::format("   {:<10} {}\n", command.name, command.help); });
  (void)sys::write_all(1, text + "\nGLOBAL OPTIONS:\n" + format_flags(kGlobalFlags));
}

Result<void> open_log(const Args& global) {
  g_log.json = global.get("log-format", "text") == "json";
  std::string path = global.get("log");
  if (!path.empty()) g_log.file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644));
  return {};
}

Result<int> dispatch(const Args& global, char** argv, char** envp) {
  if (global.has("version")) {
    (void)sys::write_all(1, "sampan-runtime version " SAMPAN_VERSION "\nspec: 1.2.0\n");
    return 0;
  }
  if (global.has("help") || global.rest().empty() || global.rest()[0] == "help") {
    print_help();
    return 0;
  }
  if (global.has("systemd-cgroup"))
    return fail(Code::NotImplemented, "--systemd-cgroup is not supported: use cgroupfs paths");
  if (global.get("rootless") == "true")
    return fail(Code::NotImplemented, "--rootless is not supported: this runtime needs root");
  const Command* found = nullptr;
  for_each_command([&](const Command& command) {
    if (command.name == global.rest()[0]) found = &command;
  });
  if (!found) return fail(Code::InvalidArgument, "No help topic for '{}'", global.rest()[0]);
  if (found->enters) TRY_CONTEXT(sys::seal_own_program(argv, envp), "seal program");
  std::span<const std::string> words(global.rest());
  Context context{Store(global.get("root", "/run/sampan-runtime")), TRY(Args::parse(found->flags, words.subspan(1))),
                  warn, global.has("debug"), log_debug};
  return found->run(context);
}

int run_program(int argc, char** argv, char** envp) {
  std::vector<std::string> words(argv + 1, argv + argc);
  auto global = Args::parse(kGlobalFlags, words);
  if (!global) return report(global.error());
  if (auto opened = open_log(*global); !opened) return report(opened.error());
  auto code = dispatch(*global, argv, envp);
  return code ? *code : report(code.error());
}

}  // namespace
}  // namespace sampan::bin

int main(int argc, char** argv, char** envp) {
  return sampan::bin::run_program(argc, argv, envp);
}
