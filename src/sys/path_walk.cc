#include "sys/path_walk.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "sys/fd.h"

namespace sampan::sys {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel's own limit
constexpr int kMaxTries = 64;  // of a last component that turns into a link when it is opened
constexpr ino_t kProcRootInode = 1;
constexpr long kApparmorMagic = 0x5a3c69f0;

class Walk {
 public:
  Walk(int root, int flags, unsigned mode) : root_(root), flags_(flags), mode_(mode) {}

  int run(std::string_view path) {
    push(path);
    while (!pending_.empty()) {
      std::string name = std::move(pending_.back());
      pending_.pop_back();
      bool last = pending_.empty();
      if (name == ".") continue;
      if (name == "..") {
        if (!above_.empty()) above_.pop_back();
        continue;
      }
      int result = step(name, last);
      if (result != kGoOn) return result;
    }
    if (flags_ & O_CREAT) return flags_ & O_EXCL ? -EEXIST : -EISDIR;
    int fd = ::openat(here(), ".", flags_);
    return fd < 0 ? -errno : fd;
  }

 private:
  static constexpr int kGoOn = -100'000;

  int here() const { return above_.empty() ? root_ : above_.back().get(); }

  /// The components of a path, to be walked before what is pending already.
  void push(std::string_view path) {
    if (pending_.empty()) must_be_directory_ = path.ends_with('/');
    for (size_t end = path.size(); end > 0;) {
      size_t slash = path.rfind('/', end - 1);
      size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
      if (begin < end) pending_.emplace_back(path.substr(begin, end - begin));
      end = slash == std::string_view::npos ? 0 : slash;
    }
  }

  int step(const std::string& name, bool last) {
    Fd entry(::openat(here(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!entry.valid()) {
      bool missing = errno == ENOENT && last && (flags_ & O_CREAT) && !must_be_directory_;
      return missing ? open_last(name) : -errno;
    }
    struct stat info;
    if (::fstatat(entry.get(), "", &info, AT_EMPTY_PATH) < 0) return -errno;
    if (S_ISLNK(info.st_mode) && follows(last)) return enter_link(entry);
    if (last) return (flags_ & O_PATH) ? take(std::move(entry), info) : open_last(name);
    if (!S_ISDIR(info.st_mode)) return -ENOTDIR;
    above_.push_back(std::move(entry));
    return kGoOn;
  }

  bool follows(bool last) const {
    if (!last || must_be_directory_) return true;
    return !(flags_ & O_NOFOLLOW) && (flags_ & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
  }

  int enter_link(const Fd& link) {
    if (++links_ > kMaxLinks || is_magic(link)) return -ELOOP;
    char target[PATH_MAX];
    ssize_t n = ::readlinkat(link.get(), "", target, sizeof target);
    if (n <= 0) return n < 0 ? -errno : -ENOENT;
    if (target[0] == '/') above_.clear();
    push({target, static_cast<size_t>(n)});
    return kGoOn;
  }

  /// A link whose target is not the text that it shows.
  bool is_magic(const Fd& link) const {
    struct statfs fs;
    if (::fstatfs(link.get(), &fs) < 0) return true;
    if (fs.f_type == SECURITYFS_MAGIC || fs.f_type == kApparmorMagic) return true;
    if (fs.f_type != PROC_SUPER_MAGIC) return false;
    struct stat parent;
    return ::fstat(here(), &parent) < 0 || parent.st_ino != kProcRootInode;
  }

  int take(Fd entry, const struct stat& info) const {
    bool directory = must_be_directory_ || (flags_ & O_DIRECTORY);
    return directory && !S_ISDIR(info.st_mode) ? -ENOTDIR : entry.release();
  }

  /// Whatever bears the name now, but no link: one that has just come is walked from the start.
  int open_last(const std::string& name) const {
    if (must_be_directory_ && (flags_ & O_CREAT)) return -EISDIR;
    int flags = flags_ | O_NOFOLLOW | (must_be_directory_ ? O_DIRECTORY : 0);
    int fd = ::openat(here(), name.c_str(), flags, mode_);
    if (fd >= 0) return fd;
    return errno == ELOOP && follows(true) ? -EAGAIN : -errno;
  }

  const int root_, flags_;
  const unsigned mode_;
  std::vector<Fd> above_;             // the way from the root to here
  std::vector<std::string> pending_;  // last component first
  bool must_be_directory_ = false;
  int links_ = 0;
};

}  // namespace

int walk_in_root(int root, std::string_view path, int flags, unsigned mode) {
  if (path.empty()) return -ENOENT;
  if (path.size() >= PATH_MAX) return -ENAMETOOLONG;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    int fd = Walk(root, flags | O_CLOEXEC, mode).run(path);
    if (fd != -EAGAIN) return fd;
  }
  return -EAGAIN;
}

}  // namespace sampan::sys
