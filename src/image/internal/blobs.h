#pragma once
// blobs/sha256/<hex>: compressed layers by digest, verified before they have their name. tmp/: what is on its way.

#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::image {

class Blobs {
 public:
  explicit Blobs(std::string root) : root_(std::move(root)) {}
  Result<void> create();
  std::string path(const std::string& digest) const;
  /// Where a download lies until it is complete; named by digest, so that the next attempt goes on with it.
  std::string partial(const std::string& digest) const;
  std::string tmp_dir() const { return root_ + "/tmp"; }
  bool has(const std::string& digest) const;
  /// A new name below tmp/ that nobody else has.
  std::string fresh_name(const std::string& kind) const;
  /// Makes a verified file a blob: fsync, rename, fsync of the directory.
  Result<void> publish(const std::string& file, const std::string& digest);
  Result<void> remove(const std::string& digest);
  Result<std::vector<std::string>> list();
  /// Empties tmp/ but for partial downloads younger than a day.
  Result<void> clean_tmp();
  /// Bytes that may still be written below the data root.
  uint64_t free_bytes() const;

 private:
  std::string root_;
};

}  // namespace sampan::image
