// When memory runs out inside the container: told as it happens, and never told twice.

#include "shim/internal/shim_process.h"

namespace sampan::shim {

/// A host that cannot tell is asked now and then instead, and at each end of a process.
void ShimProcess::watch_memory() {
  memory_.before = container_->cgroups().oom_kills().value_or(0);
  auto events = cgroup::OomWatch::open(container_->cgroups());
  if (!events) return;
  memory_.events = std::move(*events);
  memory_.watch.set(loop_, memory_.events->fd(), EPOLLIN, memory_);
}

/// Version 1 reports before it kills: the counter of kills, which comes later, must not tell it again.
void ShimProcess::on_memory_event() {
  auto news = memory_.events->take();
  if (!news || news->gone) memory_.stop();
  if (news && news->count > 0) tell_oom(news->count);
}

void ShimProcess::check_memory() {
  if (memory_.events) on_memory_event();
  uint64_t kills = container_->cgroups().oom_kills().value_or(0);
  memory_.kills = kills > memory_.before ? kills - memory_.before : 0;
  if (memory_.kills > memory_.told) tell_oom(memory_.kills - memory_.told);
}

void ShimProcess::tell_oom(uint64_t count) {
  memory_.told += count;
  auto stats = container_->cgroups().stats();
  links_.send_reliably({.kind = static_cast<int>(ShimEvent::Kind::Oom),
                        .generation = generation_,
                        .memory_limit = stats ? stats->memory_limit : 0,
                        .time = codec::format_rfc3339(now_wall())});
}

}  // namespace sampan::shim
