#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "codec/text.h"
#include "shim/detach_keys.h"

namespace sampan::api {
namespace {

struct ExecBody {
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false, tty = false, privileged = false;
  std::string detach_keys, user, working_dir;
  std::vector<std::string> env, cmd;
};
BOOST_DESCRIBE_STRUCT(ExecBody, (),
                      (attach_stdin, attach_stdout, attach_stderr, tty, privileged, detach_keys, user, working_dir, env,
                       cmd))

}  // namespace

Result<void> check_detach_keys(const std::string& keys) {
  if (keys.empty() || shim::parse_detach_keys(keys)) return {};
  return fail(Code::InvalidArgument, "Invalid detach keys ({}) provided", keys);
}

Result<http::Response> create_exec(Call& call) {
  if (call.body.empty()) return fail(Code::InvalidArgument, "invalid JSON: got EOF while reading request body");
  auto body = TRY(codec::from_json<ExecBody>(call.body));
  if (body.cmd.empty()) return fail(Code::InvalidArgument, "No exec command specified");
  TRY(check_detach_keys(body.detach_keys));
  engine::ExecSpec spec;
  spec.attach_stdin = body.attach_stdin;
  spec.attach_stdout = body.attach_stdout;
  spec.attach_stderr = body.attach_stderr;
  spec.tty = body.tty;
  spec.privileged = body.privileged;
  spec.detach_keys = std::move(body.detach_keys);
  spec.user = std::move(body.user);
  spec.working_dir = std::move(body.working_dir);
  spec.env = std::move(body.env);
  spec.cmd = std::move(body.cmd);
  auto id = TRY(call.engine().create_exec(call.name, spec));
  return json_answer(201, json::object{{"Id", json::string(id)}});
}

Result<http::Response> inspect_exec(Call& call) {
  auto exec = TRY(call.engine().get_exec(call.name));
  std::vector<std::string> arguments;
  if (!exec.spec.cmd.empty()) arguments.assign(exec.spec.cmd.begin() + 1, exec.spec.cmd.end());
  json::object process{{"tty", exec.spec.tty},
                       {"entrypoint", json::string(exec.spec.cmd.empty() ? "" : exec.spec.cmd.front())},
                       {"arguments", codec::write_json(arguments)},
                       {"privileged", exec.spec.privileged}};
  if (!exec.spec.user.empty()) process["user"] = exec.spec.user;
  json::object out;
  out["ID"] = exec.id;
  out["Running"] = exec.running;
  out["ExitCode"] = exec.exit_code ? json::value(*exec.exit_code) : json::value(nullptr);
  out["ProcessConfig"] = std::move(process);
  out["OpenStdin"] = exec.spec.attach_stdin;
  out["OpenStderr"] = exec.spec.attach_stderr;
  out["OpenStdout"] = exec.spec.attach_stdout;
  out["CanRemove"] = false;  // as Docker always says: it goes by itself
  out["ContainerID"] = exec.container_id;
  auto keys = shim::parse_detach_keys(exec.spec.detach_keys);
  out["DetachKeys"] = keys ? codec::format_base64(*keys) : "";
  out["Pid"] = exec.pid;
  return json_answer(200, out);
}

}  // namespace sampan::api
