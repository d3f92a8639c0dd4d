#include "logs/internal/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "logs/internal/gzip.h"
#include "logs/internal/rotating_file.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::logs {

Result<std::optional<LogFile>> open_log_file(const std::string& name) {
  auto fd = sys::open_file(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) {
    if (fd.error().code() == Code::NotFound) return std::optional<LogFile>();
    return std::move(fd).error();
  }
  struct stat info;
  if (::fstat(fd->get(), &info) != 0) return sys::sys_error("fstat", name);
  return std::optional(LogFile{.fd = std::move(*fd),
                               .device = info.st_dev,
                               .inode = info.st_ino,
                               .size = info.st_size,
                               .modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
                               .name = name});
}

Result<void> decompress(LogFile& file) {
  size_t slash = file.name.rfind('/');
  auto content = TRY(decompress_file(file.fd.get(), slash == std::string::npos ? "." : file.name.substr(0, slash + 1)));
  struct stat info;
  if (::fstat(content.get(), &info) != 0) return sys::sys_error("fstat", file.name);
  file.fd = std::move(content);
  file.size = info.st_size;
  file.compressed = false;
  return {};
}

Result<std::deque<LogFile>> open_log_files(const std::string& path) {
  constexpr int kMaxFiles = 1000;
  constexpr int kMaxGap = 1;  // between the renames of a rotation, and for ever when it was killed there
  std::deque<LogFile> files;
  int missing = 0;
  // From the newest to the oldest: a rotation moves files the way we are going, so it can only show one again.
  for (int i = 0; i < kMaxFiles && missing <= kMaxGap; ++i) {
    std::string name = rotated_name(path, i);
    auto file = TRY(open_log_file(name));
    if (!file && i > 0) {
      file = TRY(open_log_file(name + ".gz"));
      if (file) file->compressed = true;
    }
    if (!file) {
      ++missing;
      continue;
    }
    missing = 0;
    if (!files.empty() && files.front().same_file(*file)) continue;
    files.push_front(std::move(*file));
  }
  return files;
}

Result<TailPosition> find_tail_lines(int fd, int64_t size, int64_t lines) {
  constexpr int64_t kBlock = 64 << 10;
  std::vector<char> block(kBlock);
  TailPosition found;
  bool whole = false;  // seen the "\n" that ends the last whole line
  for (int64_t end = size; end > 0;) {
    int64_t begin = std::max<int64_t>(0, end - kBlock);
    ssize_t got = ::pread(fd, block.data(), static_cast<size_t>(end - begin), begin);
    if (got < 0) return sys::sys_error("pread");
    if (got < end - begin) return TailPosition{};  // it was truncated meanwhile: all that is left
    for (auto length = static_cast<size_t>(got); length > 0;) {
      const void* newline = ::memrchr(block.data(), '\n', length);
      if (!newline) break;
      auto at = static_cast<size_t>(static_cast<const char*>(newline) - block.data());
      int64_t after = begin + static_cast<int64_t>(at) + 1;
      if (whole) ++found.lines;
      whole = true;
      if (found.lines == lines) {
        found.offset = after;
        return found;
      }
      length = at;
    }
    end = begin;
  }
  if (whole) ++found.lines;
  return found;
}

}  // namespace sampan::logs
