#include "snapshot/internal/trash.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "sys/error.h"
#include "sys/file.h"
#include "sys/tree.h"

namespace sampan::snapshot {

Trash::~Trash() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

Result<void> Trash::resume() {
  if (!sys::path_exists(directory_)) return {};
  for (const auto& name : TRY(sys::list_dir(directory_))) enqueue(directory_ + "/" + name);
  return {};
}

Result<void> Trash::take(const std::string& path) {
  if (!sys::path_exists(path)) return {};
  TRY(sys::make_dirs(directory_));
  std::string target;
  {
    std::lock_guard lock(mutex_);
    do {
      target = fmt::format("{}/{}", directory_, next_++);
    } while (sys::path_exists(target));
    if (::rename(path.c_str(), target.c_str()) < 0) {
      if (errno == ENOENT) return {};
      return sys::sys_error("rename", path);
    }
  }
  enqueue(std::move(target));
  return {};
}

void Trash::enqueue(std::string path) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(path));
    try {
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      return;  // the host is out of threads: the next one that is thrown away starts it, or the next start of the
               // program
    }
  }
  wake_.notify_one();
}

void Trash::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::string path = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    // What cannot be deleted now (busy, a disk error) is tried again at the next start; it has no name any more.
    (void)sys::remove_tree_at(AT_FDCWD, path);
    lock.lock();
  }
}

}  // namespace sampan::snapshot
