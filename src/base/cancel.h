#pragma once
// base/cancel: a flag that a long blocking call polls. The edge sets it when the client has gone.

#include <atomic>
#include <memory>

#include "base/result.h"

namespace sampan {

/// Copyable handle on one shared flag. Threads: any.
class Cancel {
 public:
  Cancel() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  void cancel() const { flag_->store(true, std::memory_order_relaxed); }
  bool cancelled() const { return flag_->load(std::memory_order_relaxed); }
  Result<void> check() const {
    if (cancelled()) return fail(Code::Cancelled, "operation cancelled by the client");
    return {};
  }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace sampan
