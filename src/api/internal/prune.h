#pragma once
// api/internal/prune: one prune of a kind at a time; a second one is refused, as it would find nothing or race.

#include "api/internal/call.h"

namespace sampan::api {

class PruneGuard {
 public:
  /// Errors: Conflict "a prune operation is already running".
  static Result<PruneGuard> acquire(Services& services, PruneKind kind) {
    auto& flag = services.pruning[static_cast<size_t>(kind)];
    if (flag.exchange(true)) return fail(Code::Conflict, "a prune operation is already running");
    return PruneGuard(flag);
  }
  PruneGuard(PruneGuard&& other) noexcept : flag_(std::exchange(other.flag_, nullptr)) {}
  PruneGuard& operator=(PruneGuard&&) = delete;
  ~PruneGuard() {
    if (flag_) flag_->store(false);
  }

 private:
  explicit PruneGuard(std::atomic<bool>& flag) : flag_(&flag) {}
  std::atomic<bool>* flag_;
};

}  // namespace sampan::api
