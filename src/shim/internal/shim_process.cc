#include "shim/internal/shim_process.h"

#include <malloc.h>
#include <sys/stat.h>

#include "sys/file.h"

namespace sampan::shim {

namespace {

constexpr auto kAckPatience = std::chrono::seconds(4);  // a busy host's daemon is slow, and not to answer "success"
constexpr int kLookMs = 20;                             // for ends of processes, where no descriptor tells of them
constexpr int kQuietMs = 500;                           // after this we give memory back
constexpr int kHousekeepingMs = 30'000;                 // is our directory still there; did the OOM killer strike

}  // namespace

ShimProcess::ShimProcess(EventLoop loop, const cgroup::HostCgroups& host)
    : loop_(std::move(loop)),
      host_(host),
      links_(loop_, [this](sys::Packet packet) { on_request(std::move(packet)); }) {
  init_.shim = memory_.shim = this;
}

ShimProcess::~ShimProcess() = default;

int ShimProcess::run(ShimInput input) {
  auto created = create(input);
  Reply reply = created ? *created : reply_of(created.error());
  auto answered = sys::send_packet(input.reply.get(), format_reply(reply));
  input.reply.reset();
  if (!created || !answered) {
    abandon();
    return 1;
  }
  links_.adopt(std::move(input.link));
  return run_loop();
}

int ShimProcess::run_loop() {
  while (!finished()) {
    bool happened = loop_.step(timeout_ms(Clock::now()));
    auto now = Clock::now();
    tick(now);
    if (happened)
      dirty_ = true;
    else if (timeout_ms(now) != 0)
      on_idle();
  }
  if (!exited_ || !running_) abandon();
  return 0;
}

bool ShimProcess::finished() const {
  if (checkpoint_) return false;
  if (exited_) return ended_.empty() && !awaits_restart();
  return gone_ || (!running_ && !links_.connected());
}

void ShimProcess::tick(Clock::time_point now) {
  links_.tick();
  std::erase_if(execs_, [](const auto& exec) { return exec->ended; });
  if (init_.streams) init_.streams->tick(now);
  for (auto& exec : execs_) exec->streams->tick(now);
  tick_ended(now);
  tick_health(now);
  tick_restart(now);
  if (!pollable_) look_for_ends();
}

/// FALLBACK(linux<5.3): nothing tells us of an end.
void ShimProcess::look_for_ends() {
  std::vector<Running*> running;
  if (!init_.ended && init_.pidfd.valid()) running.push_back(&init_);
  for (auto& exec : execs_)
    if (!exec->ended) running.push_back(exec.get());
  for (Running* process : running)
    if (!process->ended) on_process_ended(*process);
}

/// Lets the clients of ended processes go once the daemon has acted on the end.
void ShimProcess::tick_ended(Clock::time_point now) {
  for (auto& process : ended_) {
    bool settled = links_.acknowledged(process.event) || !links_.connected() || now - process.ended > kAckPatience;
    if (settled && !process.finishing) {
      process.finishing = true;
      process.streams->finish_clients();
    }
    process.streams->tick(now);
  }
  std::erase_if(ended_, [](const auto& process) { return !process.streams->has_clients(); });
}

int ShimProcess::timeout_ms(Clock::time_point now) const {
  auto first = now + std::chrono::milliseconds(dirty_ ? kQuietMs : kHousekeepingMs);
  auto consider = [&](const std::unique_ptr<ProcessStreams>& streams) {
    auto deadline = streams ? streams->deadline() : std::nullopt;
    if (deadline) first = std::min(first, *deadline);
  };
  if (auto due = restart_deadline()) first = std::min(first, *due);
  if (!pollable_ && !exited_) first = std::min(first, now + std::chrono::milliseconds(kLookMs));
  if (auto due = health_deadline()) first = std::min(first, *due);
  consider(init_.streams);
  for (const auto& exec : execs_) consider(exec->streams);
  for (const auto& process : ended_) {
    consider(process.streams);
    if (!process.finishing) first = std::min(first, process.ended + kAckPatience + std::chrono::milliseconds(1));
  }
  auto left = std::chrono::ceil<std::chrono::milliseconds>(first - now).count();
  return static_cast<int>(std::max<int64_t>(left, 0));
}

/// Nothing happened for a while: an idle shim owns next to nothing.
void ShimProcess::on_idle() {
  if (dirty_) {
    dirty_ = false;
    scratch_.release();
    if (log_) log_->trim();
    ::malloc_trim(0);
    return;
  }
  struct stat info;
  if (::fstat(dir_fd_.get(), &info) == 0 && info.st_nlink == 0) gone_ = true;
  if (running_ && !exited_) check_memory();
}

}  // namespace sampan::shim
