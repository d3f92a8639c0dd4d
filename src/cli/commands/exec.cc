#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/commands/container_session.h"
#include "cli/stream/terminal.h"
#include "cli/values/body.h"
#include "cli/values/values.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

Result<json::object> exec_body(App& app, const Arguments& arguments, bool detached) {
  json::object body;
  TRY(fill_body(arguments, body));
  body["AttachStdin"] = arguments.flag("interactive") && !detached;
  body["AttachStdout"] = !detached;
  body["AttachStderr"] = !detached;
  std::vector<std::string> env;
  for (const std::string& file : arguments.all("env-file")) {
    for (std::string& line : TRY(read_env_file(file, true))) env.push_back(std::move(line));
  }
  for (const std::string& text : arguments.all("env")) {
    if (auto resolved = resolve_env(text)) env.push_back(*resolved);
  }
  if (!env.empty()) body["Env"] = codec::write_json(env);
  std::string keys = detach_keys(app, arguments);
  if (!keys.empty()) body["DetachKeys"] = keys;
  const auto& words = arguments.positional;
  body["Cmd"] = codec::write_json(std::vector<std::string>(words.begin() + 1, words.end()));
  return body;
}

Result<int> exec_exit_code(App& app, const std::string& path) {
  auto value = TRY(get_json(app, path + "/json"));
  const auto* code = value.is_object() ? value.get_object().if_contains("ExitCode") : nullptr;
  return code && code->is_number() ? static_cast<int>(code->to_number<int64_t>()) : 0;
}

}  // namespace

Result<int> exec_container(App& app, const Arguments& arguments) {
  bool detached = arguments.flag("detach"), tty = arguments.flag("tty"), with_stdin = arguments.flag("interactive");
  if (!detached) TRY(check_terminal(with_stdin, tty));
  json::object body = TRY(exec_body(app, arguments, detached));
  auto created = TRY(post_json(app, "/containers/" + segment(arguments.positional[0]) + "/exec", body));
  const auto* id = created.is_object() ? created.get_object().if_contains("Id") : nullptr;
  if (!id || !id->is_string()) return fail(Code::Internal, "exec ID empty");
  std::string path = "/exec/" + std::string(id->get_string());
  json::object start{{"Detach", detached}, {"Tty", tty}};
  if (auto size = window_size(STDOUT_FILENO); size && tty)
    start["ConsoleSize"] = json::array{size->rows, size->columns};
  if (detached) {
    TRY(post_json(app, path + "/start", start));
    return 0;
  }
  auto connection = TRY(app.client->hijack("POST", path + "/start", json_body(start)));
  SessionOptions options;
  options.tty = tty;
  options.with_stdin = with_stdin;
  options.detach_keys = detach_keys(app, arguments);
  if (tty) options.on_resize = [&] { resize_to_terminal(app, path); };
  options.on_ready = [&]() -> Result<void> {
    if (tty) resize_to_terminal(app, path);
    return {};
  };
  if (TRY(run_session(std::move(connection), options)) == SessionEnd::Detached) return 0;
  return exec_exit_code(app, path);
}

}  // namespace sampan::cli
