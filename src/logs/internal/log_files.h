#pragma once
// logs/log_files: the files of one log, and the place in them where the last n lines begin.

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::logs {

struct LogFile {
  sys::Fd fd;
  uint64_t device = 0, inode = 0;
  int64_t size = 0;
  int64_t modified_ns = 0;
  std::string name;         // at the time it was opened
  bool compressed = false;  // `fd` holds gzip's format
  bool same_file(const LogFile& other) const { return device == other.device && inode == other.inode; }
};

/// Opens path, path.1, path.2, ... or path.1.gz, ...: the result is oldest first. Missing files are no error. A
/// rotation in the middle is harmless: a file that is met twice is taken once, none is left out.
Result<std::deque<LogFile>> open_log_files(const std::string& path);

/// Replaces the content of a compressed file by what is in it. Nothing else happens to any other file.
Result<void> decompress(LogFile& file);

/// The same for one name; nullopt when there is none.
Result<std::optional<LogFile>> open_log_file(const std::string& name);

struct TailPosition {
  int64_t offset = 0;  // where the lines begin
  int64_t lines = 0;   // how many there are from there, at most what was asked
};
/// Looks from the end, a block at a time. A last line without its "\n" is not counted.
Result<TailPosition> find_tail_lines(int fd, int64_t size, int64_t lines);

}  // namespace sampan::logs
