// Attach and exec start: the connection is taken out of HTTP and handed to the container's shim, which serves it to its
// end; it survives this daemon. Whatever can be refused is refused before the head, as an HTTP status.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "api/internal/attach.h"
#include "api/internal/frames.h"
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "api/internal/streams.h"
#include "base/strings.h"
#include "container/lifecycle.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::api {
namespace {

constexpr const char* kDefaultDetachKeys = "ctrl-p,ctrl-q";

/// Both forms that clients understand: an upgrade, and (old clients) an answer without a length.
std::string hijack_head(const Call& call, bool tty) {
  const char* type = tty || call.version < Version{1, 42} ? "application/vnd.docker.raw-stream"
                                                          : "application/vnd.docker.multiplexed-stream";
  bool upgrade = !call.request.header("Upgrade").empty();
  std::string out = upgrade ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n";
  out += fmt::format("Content-Type: {}\r\n", type);
  if (upgrade) out += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  out += fmt::format("Api-Version: {}\r\nDocker-Experimental: {}\r\nOstype: linux\r\nServer: Sampan/" SAMPAN_VERSION
                     " (linux)\r\n\r\n",
                     format_version(kMaxVersion), call.engine().options().experimental);
  return out;
}

/// Only what is typed at a terminal can ask for a detach: in a pipe the same bytes are data.
std::string detach_keys(const std::string& asked, bool tty) {
  if (!tty) return "";
  return asked.empty() ? kDefaultDetachKeys : asked;
}

/// A client that does not read must not hold a pool thread for ever.
void limit_sending(int socket, int seconds) {
  timeval limit{seconds, 0};
  (void)::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));  // only a pipe would refuse, and has none
}

/// The log so far, for attach?logs=1.
Result<void> replay_logs(engine::Engine& engine, const std::string& id, int client,
                         const shim::AttachOptions& options) {
  logs::ReadOptions read;
  read.stdout_ = options.stdout_;
  read.stderr_ = options.stderr_;
  auto reader = TRY(engine.open_logs(id, read));
  std::string out;
  for (;;) {
    auto line = TRY(reader->next());
    if (line) append_line(*line, {options.multiplexed, false, false}, out);
    if (out.size() > (64 << 10) || (!line && !out.empty())) {
      TRY(sys::write_all(client, out));
      out.clear();
    }
    if (!line) return {};
  }
}

void write_failure(int client, bool multiplexed, logs::Stream stream, const Error& error) {
  std::string text = error.message() + "\r\n";
  // The client may have gone; there is nobody else to tell.
  (void)sys::write_all(client, multiplexed ? format_frame(stream, text) : text);
}

}  // namespace

void serve_attach(engine::Engine& engine, AttachPlan& plan, sys::Fd client) {
  if (plan.logs) {
    limit_sending(client.get(), 30);
    auto replayed = replay_logs(engine, plan.id, client.get(), plan.options);
    limit_sending(client.get(), 0);
    if (!replayed) {
      write_failure(client.get(), plan.options.multiplexed, logs::Stream::Stderr, replayed.error());
      return;
    }
  }
  if (!plan.stream) return;
  auto attached = engine.attach_container(plan.id, client, plan.options);
  if (!attached && client.valid()) {
    write_failure(client.get(), plan.options.multiplexed, logs::Stream::Stderr, attached.error());
  }
}

namespace {

struct ExecStart {
  bool detach = false, tty = false;
  std::vector<uint32_t> console_size;
};
BOOST_DESCRIBE_STRUCT(ExecStart, (), (detach, tty, console_size))

using ConsoleSize = std::optional<std::pair<uint16_t, uint16_t>>;

ConsoleSize console_size(const ExecStart& body) {
  if (body.console_size.size() != 2 || body.console_size[0] > UINT16_MAX || body.console_size[1] > UINT16_MAX)
    return {};
  if (body.console_size[0] == 0 || body.console_size[1] == 0) return {};
  return std::pair(static_cast<uint16_t>(body.console_size[0]), static_cast<uint16_t>(body.console_size[1]));
}

Result<void> check_exec(engine::Engine& engine, const engine::ExecState& exec) {
  if (exec.started) return fail(Code::Conflict, "Error: Exec command {} has already run", exec.id);
  auto record = TRY(engine.get_container(exec.container_id));
  return container::can_exec(*record);
}

void serve_exec(engine::Engine& engine, const engine::ExecState& exec, sys::Fd client,
                const shim::AttachOptions& options, ConsoleSize size) {
  // The engine takes the descriptor; a copy stays for the words of a start that failed.
  sys::Fd copy(::fcntl(client.get(), F_DUPFD_CLOEXEC, 0));
  auto started = engine.start_exec(exec.id, false, std::move(client), options, size);
  if (!started && copy.valid()) write_failure(copy.get(), options.multiplexed, logs::Stream::Stdout, started.error());
}

}  // namespace

Result<AttachPlan> plan_attach(const Call& call, const container::ContainerRecord& record) {
  TRY(container::can_attach(record));
  TRY(check_detach_keys(call.get("detachKeys")));
  AttachPlan plan;
  plan.id = record.id;
  plan.logs = call.flag("logs");
  plan.stream = call.flag("stream");
  bool tty = record.config.tty;
  plan.options.stdin_ = call.flag("stdin") && record.config.open_stdin;
  plan.options.stdout_ = call.flag("stdout");
  plan.options.stderr_ = call.flag("stderr");
  plan.options.multiplexed = !tty;
  plan.options.detach_keys = detach_keys(call.get("detachKeys"), tty);
  return plan;
}

async::Task<Result<void>> stream_attach(Call& call, StreamContext context) {
  auto record = CO_TRY(call.engine().get_container(call.name));
  AttachPlan plan = CO_TRY(plan_attach(call, *record));
  auto taken = CO_TRY(co_await context.exchange.hijack(hijack_head(call, record->config.tty)));
  plan.options.leftover_input = std::move(taken.leftover);
  auto& engine = call.engine();
  co_await async::blocking(context.writes, [&engine, &plan, client = std::move(taken.socket)]() mutable {
    serve_attach(engine, plan, std::move(client));
  });
  co_return Result<void>();
}

async::Task<Result<void>> stream_exec_start(Call& call, StreamContext context) {
  auto body = CO_TRY(codec::from_json<ExecStart>(call.body.empty() ? "{}" : call.body));
  auto& engine = call.engine();
  auto exec = CO_TRY(engine.get_exec(call.name));
  CO_TRY(check_exec(engine, exec));
  ConsoleSize size = console_size(body);
  shim::AttachOptions options;
  if (body.detach) {
    auto started = co_await async::blocking(
        context.writes, [&] { return engine.start_exec(exec.id, true, std::nullopt, options, size); });
    CO_TRY(std::move(started));
    co_return co_await context.exchange.respond(empty_answer(200));
  }
  options.stdin_ = exec.spec.attach_stdin;
  options.stdout_ = exec.spec.attach_stdout;
  options.stderr_ = exec.spec.attach_stderr;
  options.multiplexed = !exec.spec.tty;
  options.detach_keys = detach_keys(exec.spec.detach_keys, exec.spec.tty);
  auto taken = CO_TRY(co_await context.exchange.hijack(hijack_head(call, exec.spec.tty)));
  options.leftover_input = std::move(taken.leftover);
  co_await async::blocking(context.writes, [&, client = std::move(taken.socket)]() mutable {
    serve_exec(engine, exec, std::move(client), options, size);
  });
  co_return Result<void>();
}

}  // namespace sampan::api
