// freezer. Source: kernel cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst "cgroup.freeze".
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

constexpr int kTries = 500;
constexpr std::chrono::milliseconds kPause{1}, kPauseV2{10};

}  // namespace

Result<void> set_frozen_v1(const std::string& dir, bool frozen) {
  const char* wanted = frozen ? "FROZEN" : "THAWED";
  for (int i = 0; i < kTries; ++i) {
    // A child that forks while it freezes keeps the state at FREEZING; asking again catches it, and a short thaw now
    // and then lets a task that cannot be frozen here go on.
    if (frozen && i % 50 == 49) {
      TRY(write_value(dir, "freezer.state", "THAWED"));
      await_change(dir, kPause);
    }
    TRY(write_value(dir, "freezer.state", wanted));
    if (read_text(dir, "freezer.state") == wanted) return {};
    await_change(dir, kPause);
  }
  if (frozen) (void)write_value(dir, "freezer.state", "THAWED");  // never leave it half frozen
  return fail(Code::DeadlineExceeded, "unable to freeze \"{}\"", dir);
}

Result<void> set_frozen_v2(const std::string& dir, bool frozen) {
  TRY(write_value(dir, "cgroup.freeze", frozen ? "1" : "0"));
  if (!frozen) return {};  // a frozen parent may keep it still, and that is not ours to say
  for (int i = 0; i < kTries; ++i) {
    auto events = read_flat(dir, "cgroup.events");
    if (events["frozen"] == 1) return {};
    if (events.empty()) return fail(Code::NotFound, "no control group \"{}\"", dir);  // its owner removed it
    await_change(dir, kPauseV2);                                                      // woken by the change
  }
  (void)write_value(dir, "cgroup.freeze", "0");  // never leave it half frozen
  return fail(Code::DeadlineExceeded, "unable to freeze \"{}\"", dir);
}

}  // namespace sampan::cgroup::internal
