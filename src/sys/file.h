#pragma once
// sys/file: files and directories. Paths here are the engine's own (data root, exec root, configuration): never an
// image's. Paths that an image or a container can influence go through sys/safe_path.h.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// open(2), O_CLOEXEC added. Errors: the errno, with the path.
Result<Fd> open_file(const std::string& path, int flags, unsigned mode = 0);
Result<Fd> open_at(int dir, const std::string& name, int flags, unsigned mode = 0);
/// O_PATH | O_DIRECTORY.
Result<DirFd> open_dir(const std::string& path);
Result<DirFd> open_dir_at(int dir, const std::string& name);

/// Whole content. Errors: ResourceExhausted past `limit` bytes.
Result<std::string> read_file(const std::string& path, size_t limit = 64 << 20);
Result<std::string> read_fd(int fd, size_t limit = 64 << 20);
/// One read(2), retried on EINTR; 0 is the end.
Result<size_t> read_some(int fd, std::span<char> buffer);
/// Writes everything, retried on EINTR and short writes.
Result<void> write_all(int fd, std::string_view bytes);
/// One write(2) to an existing file, as kernel files want it.
Result<void> write_kernel_file(const std::string& path, std::string_view value);

enum class Durable { No, Yes };
/// Temporary file, (fsync,) rename, (fsync of the directory): readers see the old content or the new, never a part.
Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode = 0600,
                          Durable durable = Durable::Yes);
Result<void> sync_fd(int fd);
/// fsync of a directory, so that names made or removed in it are on disk.
Result<void> sync_dir(const std::string& path);
/// syncfs(2) of the filesystem that holds the descriptor: one barrier for a whole layer.
Result<void> sync_filesystem(int fd);

/// mkdir -p with the mode for every directory it makes; an existing directory is success.
Result<void> make_dirs(const std::string& path, unsigned mode = 0700);
Result<void> rename_path(const std::string& from, const std::string& to);
/// unlink(2); a missing file is success.
Result<void> remove_file(const std::string& path);
/// Removes a tree by directory descriptors, never following a symbolic link; a missing path is success.
Result<void> remove_tree(const std::string& path);
bool path_exists(const std::string& path);
/// Names in a directory without "." and "..", sorted.
Result<std::vector<std::string>> list_dir(const std::string& path);
Result<std::string> read_link(const std::string& path);

struct DiskUsage {
  uint64_t bytes = 0;  // allocated, hard links once
  uint64_t inodes = 0;
};
Result<DiskUsage> disk_usage(const std::string& path);

/// ByteSource and ByteSink over a borrowed descriptor.
class FdSource final : public ByteSource {
 public:
  explicit FdSource(int fd) : fd_(fd) {}
  Result<size_t> read(std::span<char> buffer) override { return read_some(fd_, buffer); }

 private:
  int fd_;
};
class FdSink final : public ByteSink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  Result<void> write(std::string_view bytes) override { return write_all(fd_, bytes); }

 private:
  int fd_;
};

}  // namespace sampan::sys
