// sampan-runtime: the OCI runtime command line over runtime/, a drop-in for runc.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "bin/runtime/context.h"
#include "codec/json.h"
#include "runtime/seccomp_library.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

constexpr Flag kGlobalFlags[] = {
    {"root", "", Takes::Value,
     "root directory for storage of container state (default: /run/sampan-runtime,"
     " for a user who is not root $XDG_RUNTIME_DIR/sampan-runtime)"},
    {"log", "", Takes::Value, "set the log file to write logs to (default: stderr)"},
    {"log-format", "", Takes::Value, "set the log format: text or json"},
    {"debug", "", Takes::Nothing, "log more"},
    {"systemd-cgroup", "", Takes::Nothing, "let systemd make the control groups; cgroupsPath is \"slice:prefix:name\""},
    {"rootless", "", Takes::Value, "ignore cgroup permission errors: true, false or auto (default: auto)"},
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

int report(const Error& error, int code = 1) {
  std::string text = error.message();
  write_log("error", text);
  if (g_log.file.valid()) (void)sys::write_all(2, text + "\n");
  return code;
}

template <typename Use>
void for_each_command(Use use) {
  for (auto group : {lifecycle_commands(), exec_commands(), show_commands(), events_commands(), features_commands(),
                     update_commands(), checkpoint_commands()})
    for (const auto& command : group) use(command);
}

const Command* find_command(std::string_view name) {
  const Command* found = nullptr;
  for_each_command([&](const Command& command) {
    if (command.name == name) found = &command;
  });
  return found;
}

void print_help() {
  std::string text =
      "NAME:\n   sampan-runtime - Open Container Initiative runtime\n\nUSAGE:\n"
      "   sampan-runtime [global options] command [command options] [arguments...]\n\nVERSION:\n   " SAMPAN_VERSION
      "\n\nCOMMANDS:\n";
  for_each_command([&](const Command& command) { text += fmt::format("   {:<10} {}\n", command.name, command.help); });
  text += "   help, h    show a list of commands or help for one command\n";
  print(text + "\nGLOBAL OPTIONS:\n" + format_flags(kGlobalFlags));
}

void print_help(const Command& command) {
  std::string text =
      fmt::format("NAME:\n   sampan-runtime {0} - {1}\n\nUSAGE:\n   sampan-runtime {0} {2}{3}\n", command.name,
                  command.help, command.flags.empty() ? "" : "[command options] ", command.usage);
  if (!command.flags.empty()) text += "\nOPTIONS:\n" + format_flags(command.flags);
  print(text);
}

void print_version() {
  print(fmt::format("sampan-runtime version {}\nspec: 1.2.0\nlibseccomp: {}\n", SAMPAN_VERSION,
                    runtime::seccomp_library_version()));
}

Result<void> open_log(const Args& global) {
  std::string format = global.get("log-format", "text"), path = global.get("log");
  if (format != "text" && format != "json") return fail(Code::InvalidArgument, "invalid log-format: {}", format);
  g_log.json = format == "json";
  if (!path.empty()) g_log.file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644));
  return {};
}

/// How many arguments a command takes, from the usage that its help prints. A command whose process may come from a
/// file (exec) needs no more than the container.
Result<void> check_arguments(const Command& command, size_t count) {
  bool container = command.usage.starts_with("<container-id>");
  size_t least = container ? 1 : 0, most = least;
  if (command.usage.size() > std::string_view("<container-id>").size())
    most = command.usage.ends_with("[signal]") ? 2 : SIZE_MAX;
  if (least == most && count != least)
    return fail(Code::InvalidArgument, "sampan-runtime: \"{}\" requires exactly {} argument(s)", command.name, least);
  if (count < least)
    return fail(Code::InvalidArgument, "sampan-runtime: \"{}\" requires a minimum of {} argument(s)", command.name,
                least);
  if (count > most)
    return fail(Code::InvalidArgument, "sampan-runtime: \"{}\" requires a maximum of {} argument(s)", command.name,
                most);
  return {};
}

/// A user who is not root keeps it in a directory of his own, where the sticky bit tells cleaners to leave it alone.
std::string default_root() {
  const char* own = ::geteuid() == 0 ? nullptr : std::getenv("XDG_RUNTIME_DIR");
  if (!own || *own != '/') return "/run/sampan-runtime";
  std::string path = std::string(own) + "/sampan-runtime";
  if (auto made = sys::make_dirs(path, 0700)) (void)::chmod(path.c_str(), 01700);  // the store tells what is wrong
  return path;
}

constexpr int kNoSuchCommand = 3, kExecFailed = 255;

/// Failures of these name the command, as the callers of the reference runtime expect.
int report_command(const Command& command, Error error) {
  if (command.name == "exec") return report(std::move(error).context("exec failed"), kExecFailed);
  bool named = command.name == "create" || command.name == "run";
  if (named) error = std::move(error).context(fmt::format("sampan-runtime {} failed", command.name));
  return report(error);
}

int run_command(const Command& command, const Args& global, char** argv, char** envp) {
  auto args = Args::parse(command.flags, std::span<const std::string>(global.rest()).subspan(1));
  if (!args) {
    print(fmt::format("Incorrect Usage: {}\n\n", args.error().message()));
    print_help(command);
    return report(args.error());
  }
  if (args->has("help")) {
    print_help(command);
    return 0;
  }
  if (auto checked = check_arguments(command, args->rest().size()); !checked) {
    print("Incorrect Usage.\n\n");
    print_help(command);
    return report(checked.error());
  }
  if (command.enters)
    if (auto sealed = sys::seal_own_program(argv, envp); !sealed)
      return report(std::move(sealed).error().context("seal program"));
  Context context{Store(global.has("root") ? global.get("root") : default_root()),
                  std::move(*args),
                  warn,
                  global.has("debug"),
                  log_debug,
                  global.has("systemd-cgroup"),
                  global.get("rootless") == "true"};
  auto code = command.run(context);
  return code ? *code : report_command(command, std::move(code).error());
}

int dispatch(const Args& global, char** argv, char** envp) {
  if (global.has("version")) {
    print_version();
    return 0;
  }
  const auto& words = global.rest();
  bool help = words.empty() || words[0] == "help" || words[0] == "h";
  if (global.has("help") || (help && words.size() < 2)) {
    print_help();
    return 0;
  }
  const std::string& name = help ? words[1] : words[0];
  const Command* found = find_command(name);
  if (!found) return report(make_error(Code::InvalidArgument, "No help topic for '{}'", name), kNoSuchCommand);
  if (help) {
    print_help(*found);
    return 0;
  }
  std::string rootless = global.get("rootless", "auto");
  if (rootless != "auto" && rootless != "true" && rootless != "false")
    return report(make_error(Code::InvalidArgument, "invalid value \"{}\" for flag -rootless", rootless));
  return run_command(*found, global, argv, envp);
}

int run_program(int argc, char** argv, char** envp) {
  std::vector<std::string> words(argv + 1, argv + argc);
  auto global = Args::parse(kGlobalFlags, words);
  if (!global) {
    print(fmt::format("Incorrect Usage. {}\n\n", global.error().message()));
    print_help();
    return report(global.error());
  }
  if (auto opened = open_log(*global); !opened) return report(opened.error());
  return dispatch(*global, argv, envp);
}

}  // namespace
}  // namespace sampan::bin

int main(int argc, char** argv, char** envp) {
  return sampan::bin::run_program(argc, argv, envp);
}
