// run: create -> attach -> wait (armed before the start, so that no exit is missed) -> start -> stream -> exit code.
#include <unistd.h>

#include <optional>

#include "cli/commands/commands.h"
#include "cli/commands/container_session.h"
#include "cli/commands/create.h"
#include "cli/stream/terminal.h"
#include "codec/json.h"

namespace sampan::cli {

namespace {

constexpr int kDaemonFailed = 125;
constexpr int kCannotInvoke = 126;
constexpr int kNotFound = 127;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Docker reads the runtime's words to tell "no such program" from "no permission".
int start_exit_code(const std::string& message) {
  for (std::string_view part :
       {"executable file not found", "no such file or directory", "system cannot find the file specified"}) {
    if (contains(message, part)) return kNotFound;
  }
  for (std::string_view part : {"permission denied", "is a directory", "not a directory"}) {
    if (contains(message, part)) return kCannotInvoke;
  }
  return kDaemonFailed;
}

int report(const Arguments& arguments, const Error& error, int exit_code) {
  print_err(fmt::format("sampan: {}\n\nRun '{} --help' for more information\n", error.message(), arguments.spelling));
  return exit_code;
}

class Run {
 public:
  Run(App& app, const Arguments& arguments, CreateRequest request)
      : app_(app), arguments_(arguments), request_(std::move(request)) {}

  int execute() {
    auto id = create_from(app_, arguments_, request_);
    if (!id) return report(arguments_, id.error(), kDaemonFailed);
    id_ = std::move(*id);
    bool attached = request_.attach_stdin || request_.attach_stdout || request_.attach_stderr;
    auto code = attached ? attached_run() : detached_run();
    if (code) return *code;
    return report(arguments_, code.error(), start_failed_ ? start_exit_code(code.error().message()) : kDaemonFailed);
  }

 private:
  std::string path() const { return "/containers/" + segment(id_); }

  Result<void> start() {
    auto started = post(app_, path() + "/start");
    if (started) return {};
    start_failed_ = true;
    // A container that never ran has nobody to remove it: with --rm the daemon does, after the answer.
    return std::move(started).error();
  }

  Result<int> detached_run() {
    TRY(start());
    print_out(id_ + "\n");
    return 0;
  }

  Result<int> attached_run() {
    Query query(path() + "/attach");
    query.add("stream", "1");
    if (request_.attach_stdin) query.add("stdin", "1");
    if (request_.attach_stdout) query.add("stdout", "1");
    if (request_.attach_stderr) query.add("stderr", "1");
    std::string keys = detach_keys(app_, arguments_);
    if (!keys.empty()) query.add("detachKeys", keys);
    auto connection = TRY(app_.client->hijack("POST", query.str()));
    auto wait = TRY(PendingWait::begin(app_, id_, request_.auto_remove ? "removed" : "next-exit"));

    SessionOptions options;
    options.tty = request_.tty;
    options.with_stdin = request_.attach_stdin;
    options.detach_keys = keys;
    if (arguments_.flag("sig-proxy")) options.on_signal = [this](int signal) { send_signal(app_, id_, signal); };
    if (request_.tty) options.on_resize = [this] { resize_to_terminal(app_, path()); };
    options.on_ready = [&]() -> Result<void> {
      TRY(start());
      if (request_.tty) resize_to_terminal(app_, path());
      return {};
    };
    auto end = run_session(std::move(connection), options);
    if (!end) {
      // With --rm the daemon removes what could not start; wait for it, so that the name is free when we return.
      if (start_failed_ && request_.auto_remove) (void)wait.exit_code();
      return std::move(end).error();
    }
    if (*end == SessionEnd::Detached) return 0;
    return wait.exit_code();
  }

  App& app_;
  const Arguments& arguments_;
  CreateRequest request_;
  std::string id_;
  bool start_failed_ = false;
};

}  // namespace

Result<int> run_container(App& app, const Arguments& arguments) {
  bool detached = arguments.flag("detach");
  if (detached && arguments.has("attach")) {
    return fail(Code::InvalidArgument, "conflicting options: cannot specify both --attach and --detach");
  }
  auto request = make_create_request(arguments, detached);
  if (!request) return report(arguments, request.error(), kDaemonFailed);
  if (!detached) TRY(check_terminal(request->attach_stdin, request->tty));
  return Run(app, arguments, std::move(*request)).execute();
}

}  // namespace sampan::cli
