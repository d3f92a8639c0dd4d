#pragma once
// logs/rotating_file: an append-only file that becomes path.1 when it is full. Killed at any moment it leaves whole
// records and whole files: only renames move them, and a compressed file gets its name when it is complete.

#include <string>
#include <string_view>

#include "base/result.h"
#include "logs/internal/time_index.h"
#include "sys/fd.h"

namespace sampan::logs {

struct RotationOptions {
  std::string path;
  int64_t max_size = -1;  // bytes; -1: never
  int64_t max_file = 1;
  bool compress = false;
};

class RotatingFile {
 public:
  explicit RotatingFile(RotationOptions options) : options_(std::move(options)) {}

  Result<void> open() { return open_newest(); }
  /// Cuts off what stands behind `end`: a record that was torn when its writer was killed.
  Result<void> cut(int64_t end);
  /// True when a record that comes behind `waiting` unwritten bytes belongs into a new file.
  bool full(size_t waiting) const {
    return options_.max_size >= 0 && size_ + static_cast<int64_t>(waiting) >= options_.max_size;
  }
  /// Whole records, the youngest of time `newest_ns`. On a full disk none of them stays, or all before the torn one.
  Result<void> append(std::string_view records, int64_t newest_ns);
  Result<void> rotate();
  int fd() const { return file_.get(); }
  int64_t size() const { return size_; }

 private:
  Result<void> open_newest();
  void compress_rotated();

  RotationOptions options_;
  sys::Fd file_;
  int64_t size_ = 0;
  IndexWriter index_;
};

/// The number of whole rotations is in the name: path, path.1, path.2; ".gz" behind it for a compressed one.
std::string rotated_name(const std::string& path, int64_t number);

}  // namespace sampan::logs
