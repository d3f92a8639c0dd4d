// The daemon's side of one shim.

#include <cerrno>

#include "shim/internal/call.h"
#include "sys/file.h"
#include "sys/packet.h"

namespace sampan::shim {

Result<Answer> call(int socket, const Request& request, std::span<const int> fds, std::chrono::milliseconds deadline) {
  auto [ours, theirs] = TRY(sys::make_packet_pair());
  std::vector<int> sent{theirs.get()};
  sent.insert(sent.end(), fds.begin(), fds.end());
  TRY_CONTEXT(sys::send_packet(socket, format_request(request), sent, deadline), request.op);
  theirs.reset();  // or its end would never be seen
  auto packet = TRY_CONTEXT(sys::receive_packet(ours.get(), deadline), request.op);
  if (!packet) return fail(Code::DeadlineExceeded, "the shim did not answer \"{}\" in time", request.op);
  if (packet->end) return fail(Code::Unavailable, "the shim has gone before it answered \"{}\"", request.op);
  Answer answer;
  auto reply = result_of(TRY(parse_reply(packet->bytes)));
  if (!reply && reply.error().code() == Code::NotImplemented) {
    return fail(Code::NotImplemented,
                "the container was started by an earlier version, whose shim knows no \"{}\": restart the container",
                request.op);
  }
  answer.reply = TRY(std::move(reply));
  answer.fds = std::move(packet->fds);
  return answer;
}

namespace {

class ShimLink final : public ShimConnection {
 public:
  ShimLink(sys::Fd link, Reply told)
      : link_(std::move(link)),
        init_(static_cast<pid_t>(told.pid)),
        generation_(told.generation),
        protocol_(told.protocol),
        warnings_(std::move(told.warnings)) {}

  int event_fd() const override { return link_.get(); }
  Result<std::optional<ShimEvent>> next_event() override;
  pid_t init_pid() const override { return init_; }
  uint64_t generation() const override { return generation_; }
  int protocol() const override { return protocol_; }
  Result<void> signal(int signal, Ends ends) override {
    return simple({.op = "signal", .signal = signal, .ends = ends == Ends::Yes});
  }
  Result<void> resize(const std::string& exec_id, uint16_t rows, uint16_t columns) override {
    return simple({.op = "resize", .exec_id = exec_id, .rows = rows, .columns = columns});
  }
  Result<void> attach(sys::Fd client, const AttachOptions& options) override;
  Result<pid_t> exec(const ExecRequest& request, std::optional<sys::Fd> client) override;
  Result<void> signal_exec(const std::string& exec_id, int signal) override {
    return simple({.op = "signal_exec", .exec_id = exec_id, .signal = signal});
  }
  Result<bool> claim_exit() override;
  Result<void> checkpoint(const std::string& images, const std::string& work, LeaveRunning leave_running) override {
    Request request{.op = "checkpoint"};
    request.images = images;
    request.work = work;
    request.leave_running = leave_running == LeaveRunning::Yes;
    TRY(call(link_.get(), request, {}, kCheckpointDeadline));
    return {};
  }
  Result<void> thawed() override { return simple({.op = "thawed"}); }
  Result<void> update(const StartRequest& next) override;
  Result<Started> start();

 private:
  Result<void> simple(const Request& request) {
    TRY(call(link_.get(), request, {}, kCallDeadline));
    return {};
  }
  void acknowledge();

  sys::Fd link_;
  pid_t init_;
  uint64_t generation_;
  int protocol_;
  std::vector<std::string> warnings_;
  std::mutex mutex_;
  uint64_t unacknowledged_ = 0;  // the event that the caller is acting on, guarded by mutex_
};

Result<std::optional<sys::Fd>> leftover_file(const AttachOptions& options) {
  if (options.leftover_input.empty()) return std::optional<sys::Fd>();
  std::string_view parts[] = {options.leftover_input};
  return std::optional<sys::Fd>(TRY(sys::make_memory_file("sampan-input", parts)));
}

Result<std::optional<ShimEvent>> ShimLink::next_event() {
  std::lock_guard lock(mutex_);
  acknowledge();
  auto packet = TRY(sys::receive_packet(link_.get(), std::chrono::milliseconds(0)));
  if (!packet) return std::optional<ShimEvent>();
  if (packet->end) return fail(Code::Unavailable, "the shim has gone");
  Event event = TRY(parse_event(packet->bytes));
  unacknowledged_ = event.number;
  return std::optional<ShimEvent>(shim_event_of(std::move(event)));
}

/// The caller is back for more, so it has acted on the last event.
void ShimLink::acknowledge() {
  if (!unacknowledged_) return;
  // A shim that has gone needs none.
  (void)sys::send_packet(link_.get(), format_request({.op = "ack", .number = unacknowledged_}));
  unacknowledged_ = 0;
}

Result<void> ShimLink::attach(sys::Fd client, const AttachOptions& options) {
  auto leftover = TRY(leftover_file(options));
  std::vector<int> fds{client.get()};
  if (leftover) fds.push_back(leftover->get());
  TRY(call(link_.get(), {.op = "attach", .attach = wire_of(options), .with_leftover = leftover.has_value()}, fds,
           kCallDeadline));
  return {};
}

Result<pid_t> ShimLink::exec(const ExecRequest& request, std::optional<sys::Fd> client) {
  auto payload = TRY(make_payload(request));
  auto leftover = TRY(leftover_file(request.attach));
  bool with_client = client && client->valid() && !request.detach;
  std::vector<int> fds{payload.get()};
  if (with_client) fds.push_back(client->get());
  if (leftover) fds.push_back(leftover->get());
  auto answer = TRY(call(link_.get(), {.op = "exec", .with_client = with_client, .with_leftover = leftover.has_value()},
                         fds, kStartDeadline));
  return static_cast<pid_t>(answer.reply.pid);
}

Result<bool> ShimLink::claim_exit() {
  uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    number = unacknowledged_;
  }
  auto answer = call(link_.get(), {.op = "claim", .number = number}, {}, kCallDeadline);
  if (answer) return answer->reply.pid == 0;  // the process that runs since
  // One of an earlier version knows no claims, and waits for the acknowledgement.
  if (answer.error().code() == Code::Conflict) return true;
  return std::move(answer).error();
}

Result<void> ShimLink::update(const StartRequest& next) {
  auto payload = TRY(make_payload(next));
  std::vector<int> fds{payload.get()};
  if (next.netns.valid()) fds.push_back(next.netns.get());
  TRY(call(link_.get(), {.op = "update", .with_netns = next.netns.valid()}, fds, kCallDeadline));
  return {};
}

Result<Started> ShimLink::start() {
  auto answer = TRY(call(link_.get(), {.op = "start"}, {}, kStartDeadline));
  Started started{.pid = static_cast<pid_t>(answer.reply.pid), .warnings = warnings_};
  for (auto& warning : answer.reply.warnings) started.warnings.push_back(std::move(warning));
  return started;
}

}  // namespace

Result<std::unique_ptr<ShimConnection>> make_connection(sys::Fd link, Reply told) {
  return std::unique_ptr<ShimConnection>(std::make_unique<ShimLink>(std::move(link), std::move(told)));
}

Result<Started> start_container(ShimConnection& connection) {
  auto* link = dynamic_cast<ShimLink*>(&connection);
  if (!link) return fail(Code::InvalidArgument, "not a connection of this zygote");
  return link->start();
}

Result<std::unique_ptr<ShimConnection>> connect_shim(const std::string& dir, std::chrono::milliseconds patience) {
  auto dir_fd = TRY(sys::open_dir(dir));
  auto link = TRY(sys::connect_packets(dir_fd.get(), "shim.sock"));
  auto answer = TRY(call(link.get(), {.op = "hello", .protocol = kProtocol}, {}, patience));
  return make_connection(std::move(link), std::move(answer.reply));
}

bool is_busy(const Error& error) {
  bool backlog_is_full = error.errno_value() == EAGAIN;
  return backlog_is_full || error.code() == Code::DeadlineExceeded || error.code() == Code::ResourceExhausted;
}

Result<ExitRecord> read_exit_record(const std::string& dir) {
  std::string text = TRY(sys::read_file(dir + "/exit.json", 64 << 10));
  auto record = parse_exit_record(text);
  // finished_at is always there: its absence means that this is not our record, and its zeros are not a success.
  if (!record || record->finished_at.empty()) return fail(Code::DataLoss, "the exit record in \"{}\" is damaged", dir);
  return record;
}

}  // namespace sampan::shim
