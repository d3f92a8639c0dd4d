#pragma once
// sys/fd: the owned descriptor. One final move-only class per kind; only sys:: wrappers make them, always
// close-on-exec.

#include <utility>

namespace sampan::sys {

/// An owned file descriptor of kind Tag. Never silently converts; get() lends the number.
template <typename Tag>
class OwnedFd final {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();
  /// Gives up the kind, keeps the descriptor.
  template <typename Other>
  OwnedFd<Other> as() && {
    return OwnedFd<Other>(release());
  }

 private:
  int fd_ = -1;
};

namespace internal {
void close_fd(int fd);
}
template <typename Tag>
void OwnedFd<Tag>::reset() {
  if (fd_ >= 0) internal::close_fd(std::exchange(fd_, -1));
}

using Fd = OwnedFd<struct FdTag>;        // files, pipes, sockets
using DirFd = OwnedFd<struct DirFdTag>;  // directories, O_PATH or readable
using PidFd = OwnedFd<struct PidFdTag>;
using NsFd = OwnedFd<struct NsFdTag>;
using MountFd = OwnedFd<struct MountFdTag>;  // fsmount, open_tree

}  // namespace sampan::sys
