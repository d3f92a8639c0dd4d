#pragma once
// The layer cache: which image a step gave last time. Only what this builder made is in it, so a pulled image can never
// pose as a step's result (CVE-2024-24557).

#include <optional>
#include <string>

#include "base/result.h"
#include "codec/text.h"
#include "store/store.h"

namespace sampan::build {

class StepCache {
 public:
  static Result<StepCache> open(store::Store& store);
  /// The key of a step: what it stands on, what it says, what it reads.
  static std::string key(const std::string& parent_id, const std::string& instruction, const std::string& content);
  Result<std::optional<std::string>> find(const std::string& key);
  Result<void> put(const std::string& key, const std::string& image_id, const std::string& description,
                   codec::Time now);
  Result<void> forget(const std::string& key);

 private:
  explicit StepCache(store::Store& store) : store_(&store) {}
  store::Store* store_;
};

}  // namespace sampan::build
