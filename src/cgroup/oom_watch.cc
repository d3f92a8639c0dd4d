#include "cgroup/oom_watch.h"

#include <fcntl.h>

#include "cgroup/internal/files.h"
#include "sys/dir_watch.h"
#include "sys/event_fd.h"
#include "sys/file.h"

namespace sampan::cgroup {

Result<OomWatch> OomWatch::open(const Cgroup& cgroup) {
  const auto& host = cgroup.host();
  if (auto v1 = host.v1_roots.find("memory"); v1 != host.v1_roots.end()) {
    std::string dir = cgroup.dir_in(v1->second);
    auto events = TRY(sys::make_event_fd());
    auto control = TRY(sys::open_file(dir + "/memory.oom_control", O_RDONLY));
    TRY(internal::write_value(dir, "cgroup.event_control", fmt::format("{} {}", events.get(), control.get())));
    return OomWatch(dir, std::move(events), std::move(control));
  }
  if (host.v2_root.empty()) return fail(Code::NotImplemented, "this host has no memory control groups");
  std::string dir = cgroup.dir_in(host.v2_root);
  if (!internal::has_file(dir, "memory.events"))
    return fail(Code::NotImplemented, "the memory controller is not enabled in \"{}\"", dir);
  const std::string files[] = {dir + "/memory.events", dir + "/cgroup.events"};
  OomWatch watch(dir, TRY(sys::watch_files(files)), {});
  watch.seen_ = watch.kills();
  return watch;
}

uint64_t OomWatch::kills() const {
  return internal::read_flat(dir_, "memory.events")["oom_kill"];
}

Result<OomWatch::News> OomWatch::take() {
  News news;
  if (control_.valid()) {
    news.count = TRY(sys::take_event_count(fd()));
    // The kernel signals the removal by the same descriptor.
    news.gone = !internal::has_file(dir_, "memory.oom_control");
    if (news.gone) news.count = 0;
    return news;
  }
  sys::drain_watch(fd());  // first: what changes after the reading below makes it readable again
  uint64_t now = kills();
  if (now > seen_) news.count = now - seen_;
  seen_ = std::max(seen_, now);
  auto state = internal::read_flat(dir_, "cgroup.events");
  news.gone = state.empty() || state["populated"] == 0;
  return news;
}

}  // namespace sampan::cgroup
