#include "logs/internal/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs/internal/gzip.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::logs {

namespace {

constexpr int kOpenFlags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW;

/// Runs in a child: what compression needs of memory goes with it.
[[noreturn]] void compress_and_exit(const std::string& name) {
  auto original = sys::open_file(name, O_RDONLY | O_NOFOLLOW);
  std::string target = name + ".gz", unfinished = target + ".new";
  (void)::unlink(unfinished.c_str());  // of one that was killed
  auto content = sys::open_file(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0640);
  struct stat info;
  if (!original || !content || !compress_file(original->get(), content->get()) ||
      ::fstat(original->get(), &info) != 0) {
    (void)::unlink(unfinished.c_str());  // a full disk: the file stays as it is
    ::_exit(1);
  }
  const timespec times[] = {info.st_mtim, info.st_mtim};
  (void)::futimens(content->get(), times);  // `since` skips whole files by their time
  if (::rename(unfinished.c_str(), target.c_str()) != 0) ::_exit(1);
  (void)::unlink(name.c_str());
  (void)::unlink(index_name(name).c_str());
  ::_exit(0);
}

void move_name(const std::string& from, const std::string& to) {
  // Missing predecessors are the ordinary case of a young log.
  (void)::rename(from.c_str(), to.c_str());
}

}  // namespace

std::string rotated_name(const std::string& path, int64_t number) {
  return number == 0 ? path : fmt::format("{}.{}", path, number);
}

Result<void> RotatingFile::cut(int64_t end) {
  if (::ftruncate(file_.get(), end) != 0) return sys::sys_error("ftruncate", options_.path);
  size_ = end;
  return {};
}

Result<void> RotatingFile::open_newest() {
  // Never O_TRUNC: if a rename failed, the old records stay and the file grows.
  auto file = TRY(sys::open_file(options_.path, kOpenFlags, 0640));
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return sys::sys_error("fstat", options_.path);
  file_ = std::move(file);
  size_ = info.st_size;
  index_.open(options_.path, info.st_ino, size_, info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec);
  return {};
}

Result<void> RotatingFile::append(std::string_view records, int64_t newest_ns) {
  auto written = sys::write_all(file_.get(), records);
  if (written) {
    size_ += static_cast<int64_t>(records.size());
    index_.note(size_, newest_ns);
    return {};
  }
  // A full disk: nothing or a part was written. Cut the torn record off; what follows is whole again.
  struct stat info;
  if (::ftruncate(file_.get(), size_) != 0 && ::fstat(file_.get(), &info) == 0) size_ = info.st_size;
  return std::move(written).error().context(options_.path);
}

Result<void> RotatingFile::rotate() {
  const std::string& path = options_.path;
  for (int64_t i = options_.max_file - 1; i >= 1; --i) {
    std::string from = rotated_name(path, i - 1), to = rotated_name(path, i);
    (void)::unlink((to + ".gz").c_str());
    if (i > 1) move_name(from + ".gz", to + ".gz");
    if (::rename(from.c_str(), to.c_str()) != 0) (void)::unlink(to.c_str());
    move_name(index_name(from), index_name(to));
  }
  if (options_.max_file <= 1) {
    (void)::unlink(path.c_str());
    (void)::unlink(index_name(path).c_str());
  }
  if (auto opened = open_newest(); !opened) return opened;  // the old file grows, and the next record tries again
  if (options_.compress && options_.max_file > 1) compress_rotated();
  return {};
}

/// Waits for it: the container may not go on to the next rotation before, and everything else would be a race of names.
void RotatingFile::compress_rotated() {
  pid_t child = ::fork();
  if (child == 0) compress_and_exit(rotated_name(options_.path, 1));
  if (child > 0) (void)sys::reap(child);
}

}  // namespace sampan::logs
