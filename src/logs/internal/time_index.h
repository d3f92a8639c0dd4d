#pragma once
// logs/time_index: path.idx, the sparse index of one log file by time.
//
//   header {magic, inode of the log}   entry {offset, the youngest time of any record before it}   entry ...
//
// Entries only ever grow in both numbers, also when the clock is set back. The index is advice: one that is torn or
// belongs to another file is ignored, and a log without one is read from its beginning.

#include <cstdint>
#include <string>

#include "sys/fd.h"

namespace sampan::logs {

inline constexpr int64_t kIndexStep = 1 << 20;  // of log between two entries

std::string index_name(const std::string& log_path);

class IndexWriter {
 public:
  /// For the log file at `path`, which has `size` bytes, the last of them written at `modified_ns`.
  void open(const std::string& path, uint64_t inode, int64_t size, int64_t modified_ns);
  /// The log is `size` bytes long now, the last of them of time `newest_ns`. Failures are ignored: see above.
  void note(int64_t size, int64_t newest_ns);

 private:
  bool begin_file();

  std::string path_;
  uint64_t inode_ = 0;
  int64_t next_ = kIndexStep;  // the size at which the next entry is due
  int64_t newest_ns_ = 0;
  sys::Fd file_;
};

/// Where to begin reading for records of `since_ns` and later: never behind the first of them.
int64_t find_since(const std::string& path, uint64_t inode, int64_t size, int64_t since_ns);

}  // namespace sampan::logs
