#pragma once
// A few downloads at a time, in the order of the layers; the puller unpacks behind them.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "image/internal/core.h"
#include "image/internal/progress.h"
#include "image/internal/pull_resolve.h"

namespace sampan::image {

class LayerFetcher {
 public:
  LayerFetcher(Core& core, const PullTarget& target, Reporter& reporter)
      : core_(core), target_(target), reporter_(reporter) {}
  /// Stops and joins.
  ~LayerFetcher();
  /// Starts the downloads of these descriptors. They must outlive the fetcher.
  void start(const std::vector<const oci::Descriptor*>& wanted);
  /// Waits for the n-th of them and answers where its bytes are.
  Result<LayerBlob> wait(size_t index, const Cancel& cancel);

 private:
  struct Slot {
    const oci::Descriptor* descriptor = nullptr;
    std::optional<Result<LayerBlob>> result;
  };
  void work();
  Result<LayerBlob> fetch(const oci::Descriptor& layer);
  Core& core_;
  const PullTarget& target_;
  Reporter& reporter_;
  Cancel stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  size_t next_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace sampan::image
