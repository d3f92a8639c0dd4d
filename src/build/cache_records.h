#pragma once
// build/cache_records: the layer cache as its owner sees it: what is in it, since when, how often it helped.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/text.h"
#include "store/store.h"

namespace sampan::build {

struct CacheRecord {
  std::string key;          // 64 hexadecimal digits
  std::string image_id;     // what the step gave
  std::string description;  // the instruction
  codec::Time created, used;
  int64_t uses = 0;  // how often a build took it from here
};

/// Least recently used first.
Result<std::vector<CacheRecord>> list_cache(store::Store& store);
/// The next build makes the step again. Its image is not touched.
Result<void> forget_cache(store::Store& store, const std::string& key);

}  // namespace sampan::build
