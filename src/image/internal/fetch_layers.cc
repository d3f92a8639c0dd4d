#include "image/internal/fetch_layers.h"

#include <algorithm>

namespace sampan::image {

LayerFetcher::~LayerFetcher() {
  stop_.cancel();
  for (auto& thread : threads_) thread.join();
}

void LayerFetcher::start(const std::vector<const oci::Descriptor*>& wanted) {
  for (const auto* descriptor : wanted) slots_.push_back({descriptor, std::nullopt});
  size_t parallel = static_cast<size_t>(std::max(1, core_.client.options().max_downloads));
  for (size_t i = parallel; i < slots_.size(); ++i) reporter_.status(short_id(slots_[i].descriptor->digest), "Waiting");
  size_t count = std::min(parallel, slots_.size());
  for (size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

void LayerFetcher::work() {
  for (;;) {
    size_t mine;
    {
      std::lock_guard lock(mutex_);
      if (next_ == slots_.size() || stop_.cancelled()) return;
      mine = next_++;
    }
    auto result = fetch(*slots_[mine].descriptor);
    if (!result) stop_.cancel();  // one broken layer breaks the image
    std::lock_guard lock(mutex_);
    slots_[mine].result.emplace(std::move(result));
    changed_.notify_all();
  }
}

Result<LayerBlob> LayerFetcher::fetch(const oci::Descriptor& layer) {
  const std::string id = short_id(layer.digest);
  auto digest = TRY(oci::Digest::parse(layer.digest));
  // Whoever comes second for a blob waits here and then finds it complete.
  auto held = TRY(core_.layers.lock_blob(digest.str(), stop_));
  LayerBlob out{core_.blobs.path(layer.digest), layer.digest, layer.size, layer.media_type};
  if (core_.blobs.has(layer.digest)) {
    reporter_.status(id, "Download complete");
    return out;
  }
  out.file = core_.blobs.partial(layer.digest);
  auto on_bytes = [&](int64_t current, int64_t total) {
    reporter_.bytes(id, "Downloading", current, total);
    if (current == total) reporter_.status(id, "Verifying Checksum");
  };
  TRY(core_.client.fetch_blob(target_.reference, layer, out.file, target_.credentials, on_bytes, stop_));
  reporter_.status(id, "Download complete");
  return out;
}

Result<LayerBlob> LayerFetcher::wait(size_t index, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (slots_[index].result) return std::move(*slots_[index].result);
    TRY(cancel.check());
    if (stop_.cancelled()) {
      // Another layer failed: its error is the one to tell, and it is there or about to be.
      for (const auto& slot : slots_) {
        if (slot.result && !*slot.result && slot.result->error().code() != Code::Cancelled) return slot.result->error();
      }
    }
    changed_.wait_for(lock, std::chrono::milliseconds(50));
  }
}

}  // namespace sampan::image
