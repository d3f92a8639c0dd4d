#pragma once
// oom_watch: hears of it when memory ran out inside a control group.
//
//   auto watch = TRY(OomWatch::open(cgroup));
//   for (;;) {                                   // poll(watch.fd(), POLLIN)
//     auto news = TRY(watch.take());
//     if (news.count > 0) tell("oom");
//     if (news.gone) break;
//   }
//
// Version 1 signals an eventfd (memory.oom_control by cgroup.event_control); version 2 changes memory.events, which an
// inotify descriptor sees. Source: kernel cgroup-v1/memory.rst "OOM Control", cgroup-v2.rst "memory.events".

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "sys/fd.h"

namespace sampan::cgroup {

class OomWatch {
 public:
  /// Errors: NotImplemented (no memory controller on this host), NotFound (no such control group), the errno.
  static Result<OomWatch> open(const Cgroup& cgroup);

  /// Becomes readable when there may be news; non-blocking. Poll it for POLLIN only, and call take() then.
  int fd() const { return events_.get(); }

  struct News {
    uint64_t count = 0;  // how often memory ran out since the last take(); 0: something else woke us
    bool gone = false;  // the control group was removed, or nothing lives in it any more (version 2): no more will come
  };
  /// Blocks: no.
  Result<News> take();

 private:
  OomWatch(std::string dir, sys::Fd events, sys::Fd control)
      : dir_(std::move(dir)), events_(std::move(events)), control_(std::move(control)) {}
  uint64_t kills() const;
  std::string dir_;
  sys::Fd events_, control_;  // control_: version 1's memory.oom_control, which must stay open
  uint64_t seen_ = 0;         // version 2: the kills that were told
};

}  // namespace sampan::cgroup
