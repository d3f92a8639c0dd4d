// What a daemon can ask of a shim.

#include <fcntl.h>

#include <csignal>

#include "shim/internal/shim_process.h"
#include "sys/process.h"

namespace sampan::shim {

void ShimProcess::on_request(sys::Packet packet) {
  auto request = parse_request(packet.bytes);
  if (request && request->op == "ack") return links_.acknowledge(request->number);
  if (packet.fds.empty()) return;  // nobody waits for an answer
  sys::Fd answer = std::move(packet.fds.front());
  packet.fds.erase(packet.fds.begin());
  if (request && request->op == "checkpoint") {
    auto begun = begin_checkpoint(*request, sys::Fd(::fcntl(answer.get(), F_DUPFD_CLOEXEC, 0)));
    if (!begun) (void)sys::send_packet(answer.get(), format_reply(reply_of(begun.error())));
    return;
  }
  auto served = request ? serve(*request, packet) : Result<Reply>(std::move(request).error());
  Reply reply = served ? std::move(*served) : reply_of(served.error());
  (void)sys::send_packet(answer.get(), format_reply(reply));  // a caller that has gone needs no answer
}

Result<Reply> ShimProcess::serve(const Request& request, sys::Packet& packet) {
  if (request.op == "hello") return hello();
  if (request.op == "claim") return claim(request.number);
  if (exited_) return fail(Code::Conflict, "container {} is not running", id_);
  if (request.op == "start") return start();
  if (request.op == "attach") return attach(request, packet);
  if (request.op == "signal") {
    if (request.ends) again_.forbidden = true;
    return signal("", request.signal);
  }
  if (request.op == "signal_exec") return signal(request.exec_id, request.signal);
  if (request.op == "exec") return exec(request, packet);
  if (request.op == "resize") {
    Running* process = find(request.exec_id);
    if (!process) return fail(Code::NotFound, "No such exec instance: {}", request.exec_id);
    TRY(process->streams->resize(request.rows, request.columns));
    return Reply{};
  }
  if (request.op == "update") return update(request, packet);
  if (request.op == "thawed") {
    on_thawed();
    return Reply{};
  }
  return fail(Code::NotImplemented, "unknown request \"{}\"", request.op);
}

ShimProcess::Running* ShimProcess::find(const std::string& exec_id) {
  if (exec_id.empty()) return &init_;
  for (auto& exec : execs_) {
    if (exec->exec_id == exec_id && !exec->ended) return exec.get();
  }
  return nullptr;
}

Result<Reply> ShimProcess::hello() {
  Reply reply;
  reply.pid = init_.pid;
  reply.generation = generation_;
  reply.protocol = kProtocol;
  for (const auto& exec : execs_) {
    if (!exec->ended && exec->exec_id != kProbeId) reply.execs.push_back(exec->exec_id);
  }
  return reply;
}

Result<Reply> ShimProcess::start() {
  if (running_) return fail(Code::NotModified, "container {} is already running", id_);
  // Init reports its execve itself; its own words are the error.
  TRY(container_->start());
  if (restored_) init_.streams->adopt({});
  running_ = true;
  again_.started = Clock::now();
  begin_health();
  Reply reply;
  reply.pid = init_.pid;
  reply.generation = generation_;
  return reply;
}

Result<Reply> ShimProcess::attach(const Request& request, sys::Packet& packet) {
  if (packet.fds.empty()) return fail(Code::InvalidArgument, "attach without a connection");
  std::string leftover;
  if (request.with_leftover && packet.fds.size() > 1) leftover = TRY(sys::read_memory_file(packet.fds[1].get()));
  TRY(init_.streams->attach(std::move(packet.fds[0]), request.attach, leftover));
  return Reply{};
}

Result<Reply> ShimProcess::signal(const std::string& exec_id, int number) {
  Running* process = find(exec_id);
  if (!process) return fail(Code::NotFound, "No such exec instance: {}", exec_id);
  TRY(sys::send_signal(process->pidfd, number));
  return Reply{};
}

Result<Reply> ShimProcess::exec(const Request& request, sys::Packet& packet) {
  size_t next = 0;
  auto take = [&](bool there) { return there && next < packet.fds.size() ? std::move(packet.fds[next++]) : sys::Fd(); };
  sys::Fd payload_file = take(true), client = take(request.with_client), leftover_file = take(request.with_leftover);
  if (!payload_file.valid()) return fail(Code::InvalidArgument, "exec without its payload");
  if (!running_) return fail(Code::Conflict, "container {} is not running", id_);
  auto payload = TRY(read_exec_payload(payload_file.get()));
  ExecMessage& message = payload.message;
  if (find(message.exec_id)) return fail(Code::AlreadyExists, "exec {} is running", message.exec_id);
  std::string leftover;
  if (leftover_file.valid()) leftover = TRY(sys::read_memory_file(leftover_file.get()));
  bool input = client.valid() && message.attach.stdin_;
  auto wiring = message.attach;
  Running& process = *TRY(run_exec(payload, {.tty = message.tty, .open_stdin = input, .stdin_once = true}));
  if (client.valid()) {
    auto attached = process.streams->attach(std::move(client), wiring, leftover);
    // The keys were checked by whoever made them; a process that nobody hears is still a process.
    if (!attached) warnings_.push_back(attached.error().message());
  }
  Reply reply;
  reply.pid = process.pid;
  return reply;
}

/// Starts a further process in the container.
Result<ShimProcess::Running*> ShimProcess::run_exec(Payload<ExecMessage>& payload, StreamOptions stream_options) {
  ExecMessage& message = payload.message;
  auto process = std::make_unique<Running>();
  process->shim = this;
  process->exec_id = message.exec_id;
  process->streams = std::make_unique<ProcessStreams>(loop_, scratch_, stream_options, [this, id = message.exec_id] {
    links_.send_reliably({.kind = static_cast<int>(ShimEvent::Kind::ExecDetach),
                          .generation = generation_,
                          .exec_id = id,
                          .time = codec::format_rfc3339(now_wall())});
  });
  runtime::ExecOptions options;
  options.process = std::move(message.process);
  options.process.terminal = message.tty;
  if (!options.process.oom_score_adj) options.process.oom_score_adj = oom_score_adj_;
  options.user = message.user;
  if (!message.privileged) options.seccomp = std::move(payload.seccomp);
  options.stdio = TRY(process->streams->open_pipes());
  auto started = TRY(runtime::exec(init_.pid, container_->cgroups(), options));
  process->pid = started.pid;
  process->pidfd = std::move(started.pidfd);
  process->streams->adopt(std::move(started.console));
  process->watch.set(loop_, process->pidfd.get(), EPOLLIN, *process);
  execs_.push_back(std::move(process));
  return execs_.back().get();
}

}  // namespace sampan::shim
