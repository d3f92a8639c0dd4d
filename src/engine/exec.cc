// Further processes in a running container.

#include "base/strings.h"
#include "engine/internal/core.h"

namespace sampan::engine {

namespace {

Error exec_error(const Error& error) {
  std::string text = error.message();
  bool request = container::start_failure_code(text) != 128;
  return fail(request ? Code::InvalidArgument : Code::Internal,
              "OCI runtime exec failed: exec failed: unable to start container process: {}: unknown", text);
}

}  // namespace

Result<std::string> Core::create_exec(const std::string& name, const ExecSpec& spec) {
  auto found = TRY(containers_.get(name));
  TRY(container::can_exec(*found.record));
  if (spec.cmd.empty()) return fail(Code::InvalidArgument, "No exec command specified");
  std::string id = execs_.add(found.record->id, spec);
  tell(container_event(*found.record, "exec_create: " + join(spec.cmd, " "), {{"execID", id}}));
  return id;
}

Result<ExecState> Core::get_exec(const std::string& id) {
  return execs_.get(id);
}

/// A process that joins a group while it freezes waits there, and its shim with it: a pause waits for the exec.
Result<pid_t> Core::exec_unfrozen(const CellPtr& cell, shim::ShimConnection& connection,
                                  const shim::ExecRequest& request, std::optional<sys::Fd> client) {
  auto locked = TRY(lock_cell(cell));
  TRY(container::can_exec(*locked.record));
  return connection.exec(request, std::move(client));
}

Result<void> Core::start_exec(const std::string& id, bool detach, std::optional<sys::Fd> client,
                              const shim::AttachOptions& options,
                              std::optional<std::pair<uint16_t, uint16_t>> console_size) {
  auto known = TRY(execs_.get(id));
  auto found = TRY(containers_.get(known.container_id));
  TRY(container::can_exec(*found.record));
  auto connection = found.cell->connection();
  if (!connection) return fail(Code::Conflict, "container {} is not running", known.container_id);
  const ContainerRecord& record = *found.record;
  auto seccomp = TRY(seccomp_program(record));
  auto state = TRY(execs_.begin(id));
  const ExecSpec& spec = state.spec;
  shim::ExecRequest request;
  request.exec_id = id;
  request.process =
      container::make_exec_process(record, spec.cmd, spec.env, spec.working_dir, spec.tty, spec.privileged);
  add_link_variables(record, request.process.env);
  if (console_size) request.process.console_size = oci::ConsoleSize{console_size->first, console_size->second};
  request.user = spec.user.empty() ? record.config.user : spec.user;
  request.privileged = spec.privileged;
  request.tty = spec.tty;
  request.detach = detach;
  request.attach = options;
  request.attach.stdin_ = options.stdin_ && spec.attach_stdin;
  request.attach.stdout_ = options.stdout_ && spec.attach_stdout;
  request.attach.stderr_ = options.stderr_ && spec.attach_stderr;
  if (!spec.privileged) request.seccomp = std::move(seccomp);
  tell(container_event(record, "exec_start: " + join(spec.cmd, " "), {{"execID", id}}));
  auto pid = exec_unfrozen(found.cell, *connection, request, std::move(client));
  if (!pid && pid.error().code() == Code::Conflict) {  // it was paused or ended a moment ago
    execs_.finish(id, 128);
    return std::move(pid).error();
  }
  if (!pid) {
    auto error = exec_error(pid.error());
    int code = container::start_failure_code(error.message());
    execs_.finish(id, code == 128 ? 126 : code);  // an exec that could not start is 126 where a container is 128
    return error;
  }
  execs_.started(id, *pid);
  return {};
}

Result<void> Core::resize_exec(const std::string& id, uint16_t rows, uint16_t columns) {
  auto state = TRY(execs_.get(id));
  if (!state.running) return fail(Code::Conflict, "exec {} is not running", id);
  auto found = TRY(containers_.get(state.container_id));
  auto connection = found.cell->connection();
  if (!connection) return fail(Code::Conflict, "container {} is not running", state.container_id);
  return connection->resize(id, rows, columns);
}

}  // namespace sampan::engine
