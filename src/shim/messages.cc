#include "shim/messages.h"

#include <cstring>

#include "codec/json.h"
#include "sys/packet.h"

namespace sampan::shim {

std::string format_request(const Request& request) {
  return codec::to_json(request);
}
Result<Request> parse_request(std::string_view text) {
  return codec::from_json<Request>(text);
}
std::string format_reply(const Reply& reply) {
  return codec::to_json(reply);
}
Result<Reply> parse_reply(std::string_view text) {
  return codec::from_json<Reply>(text);
}
std::string format_event(const Event& event) {
  return codec::to_json(event);
}
Result<Event> parse_event(std::string_view text) {
  return codec::from_json<Event>(text);
}
std::string format_exit_record(const WireExit& record) {
  return codec::to_json(record);
}
Result<ExitRecord> parse_exit_record(std::string_view text) {
  auto wire = TRY(codec::from_json<WireExit>(text));
  ExitRecord record{.generation = wire.generation,
                    .exit_code = wire.exit_code,
                    .signal = wire.signal,
                    .oom_killed = wire.oom_killed,
                    .unhealthy = wire.unhealthy,
                    .finished_at = std::move(wire.finished_at)};
  for (auto& event : wire.journal) record.missed.push_back(shim_event_of(std::move(event)));
  return record;
}

ShimEvent shim_event_of(Event event) {
  return {.kind = static_cast<ShimEvent::Kind>(event.kind),
          .generation = event.generation,
          .exec_id = std::move(event.exec_id),
          .exit_code = event.exit_code,
          .signal = event.signal,
          .oom_killed = event.oom_killed,
          .memory_limit = event.memory_limit,
          .time = std::move(event.time),
          .unhealthy = event.unhealthy,
          .health = {std::move(event.health), event.failing_streak},
          .health_changed = event.health_changed,
          .started_at = std::move(event.started_at),
          .output = std::move(event.output),
          .pid = event.pid,
          .delay = std::chrono::milliseconds(event.delay_ms)};
}

Reply reply_of(const Error& error) {
  Reply reply;
  reply.code = static_cast<int>(error.code());
  reply.err = error.errno_value();
  reply.message = error.message();
  // A name in a container need not be text, but JSON is.
  if (!codec::parse_json(codec::to_json(reply.message))) {
    for (char& c : reply.message) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
  }
  constexpr size_t kColon = 2;  // ": "
  if (size_t root = error.root_message().size() + kColon; root < reply.message.size())
    reply.step = reply.message.substr(0, reply.message.size() - root);
  if (reply.message.empty()) reply.message = code_name(error.code());
  return reply;
}

Result<Reply> result_of(Reply reply) {
  if (reply.message.empty()) return reply;
  bool known = reply.code >= 0 && reply.code <= static_cast<int>(Code::Internal);
  Code code = known ? static_cast<Code>(reply.code) : Code::Unknown;
  if (reply.step.empty() || !reply.message.starts_with(reply.step + ": "))
    return Error(code, std::move(reply.message), reply.err);
  return Error(code, reply.message.substr(reply.step.size() + 2), reply.err).context(std::move(reply.step));
}

WireAttach wire_of(const AttachOptions& options) {
  return {.stdin_ = options.stdin_,
          .stdout_ = options.stdout_,
          .stderr_ = options.stderr_,
          .multiplexed = options.multiplexed,
          .detach_keys = options.detach_keys};
}

logs::WriterOptions writer_options_of(const WireLog& log) {
  logs::WriterOptions out{.driver = log.driver,
                          .path = log.path,
                          .max_size = log.max_size,
                          .max_file = log.max_file,
                          .compress = log.compress,
                          .attributes = log.attributes};
  if (const auto& away = log.forwarding) {
    out.forwarding = {away->program, away->settings, away->blocking, away->buffer_bytes};
  }
  return out;
}

namespace {

Result<sys::Fd> make_payload_of(const std::string& json, const std::optional<runtime::SeccompProgram>& seccomp) {
  PayloadHeader header;
  header.json_bytes = static_cast<uint32_t>(json.size());
  header.has_seccomp = seccomp.has_value();
  header.seccomp_count = seccomp ? seccomp->size() : 0;
  std::string_view parts[] = {
      {reinterpret_cast<const char*>(&header), sizeof header},
      json,
      {seccomp ? reinterpret_cast<const char*>(seccomp->data()) : "", header.seccomp_count * sizeof(uint64_t)}};
  return sys::make_memory_file("sampan-request", parts);
}

template <typename Message>
Result<Payload<Message>> read_payload(int file) {
  std::string bytes = TRY(sys::read_memory_file(file));
  PayloadHeader header;
  if (bytes.size() < sizeof header) return fail(Code::DataLoss, "torn request");
  std::memcpy(&header, bytes.data(), sizeof header);
  size_t rest = bytes.size() - sizeof header;
  if (header.magic != PayloadHeader::kMagic || header.json_bytes > rest ||
      header.seccomp_count != (rest - header.json_bytes) / sizeof(uint64_t)) {
    return fail(Code::DataLoss, "malformed request");
  }
  Payload<Message> out;
  out.message = TRY(codec::from_json<Message>(std::string_view(bytes).substr(sizeof header, header.json_bytes)));
  if (header.has_seccomp) {
    out.seccomp.emplace(header.seccomp_count);
    std::memcpy(out.seccomp->data(), bytes.data() + sizeof header + header.json_bytes,
                header.seccomp_count * sizeof(uint64_t));
  }
  return out;
}

}  // namespace

Result<sys::Fd> make_payload(const StartRequest& request) {
  StartMessage message{.id = request.id,
                       .generation = request.generation,
                       .dir = request.dir,
                       .spec = request.spec,
                       .rootfs = request.rootfs,
                       .user = request.user,
                       .group_add = request.group_add,
                       .cgroup_path = request.cgroup_path,
                       .init_path = request.init_path,
                       .tty = request.tty,
                       .open_stdin = request.open_stdin,
                       .stdin_once = request.stdin_once,
                       .log = {.driver = request.log.driver,
                               .path = request.log.path,
                               .max_size = request.log.max_size,
                               .max_file = request.log.max_file,
                               .compress = request.log.compress,
                               .attributes = request.log.attributes}};
  if (const auto& away = request.log.forwarding) {
    message.log.forwarding = WireForwarding{away->program, away->settings, away->blocking, away->buffer_bytes};
  }
  message.restart = static_cast<int>(request.restart.when);
  message.restart_most = request.restart.most;
  message.restart_count = request.restart.count;
  message.restart_delay_ms = request.restart.delay.count();
  message.restore_images = request.restore_images;
  message.restore_work = request.restore_work;
  if (const auto& health = request.health) {
    message.health = WireHealth{.interval = health->timing.interval.count(),
                                .timeout = health->timing.timeout.count(),
                                .start_period = health->timing.start_period.count(),
                                .start_interval = health->timing.start_interval.count(),
                                .retries = health->timing.retries,
                                .process = health->process,
                                .user = health->user,
                                .end_unhealthy = health->end_unhealthy,
                                .stop_signal = health->stop_signal,
                                .stop_timeout_ms = health->stop_timeout.count()};
  }
  // The compiled program replaces the section, which is the largest part of the specification.
  if (request.seccomp && message.spec.linux_) message.spec.linux_->seccomp.reset();
  return make_payload_of(codec::to_json(message), request.seccomp);
}

Result<sys::Fd> make_payload(const ExecRequest& request) {
  ExecMessage message{.exec_id = request.exec_id,
                      .process = request.process,
                      .user = request.user,
                      .privileged = request.privileged,
                      .tty = request.tty,
                      .detach = request.detach,
                      .attach = wire_of(request.attach)};
  return make_payload_of(codec::to_json(message), request.seccomp);
}

Result<Payload<StartMessage>> read_start_payload(int file) {
  return read_payload<StartMessage>(file);
}
Result<Payload<ExecMessage>> read_exec_payload(int file) {
  return read_payload<ExecMessage>(file);
}

void warm_up_messages() {
  StartMessage start;
  start.spec.process.emplace().capabilities.emplace();
  start.spec.process->rlimits.resize(1);
  start.spec.mounts.resize(1);
  auto& linux = start.spec.linux_.emplace();
  linux.namespaces.resize(1);
  linux.devices.resize(1);
  linux.resources.emplace().devices.resize(1);
  linux.resources->memory.emplace();
  linux.resources->cpu.emplace();
  linux.resources->pids.emplace();
  start.health.emplace().process = *start.spec.process;
  (void)codec::from_json<StartMessage>(codec::to_json(start));
  (void)codec::from_json<ExecMessage>(codec::to_json(ExecMessage{.process = *start.spec.process}));
  (void)parse_request(format_request({}));
  (void)format_reply({});
  (void)format_event({});
  (void)format_exit_record({});
}

}  // namespace sampan::shim
