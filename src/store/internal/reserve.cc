#include "store/internal/reserve.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sys/file.h"

namespace sampan::store {
namespace {

constexpr int64_t kReserveBytes = 4 << 20;
constexpr uint64_t kLowWater = 1 << 20;    // below this the reserve is given up
constexpr uint64_t kHighWater = 64 << 20;  // above this it is made again

}  // namespace

Reserve::Reserve(std::string path) : path_(std::move(path)), directory_(path_.substr(0, path_.rfind('/') + 1)) {
  if (directory_.empty()) directory_ = ".";
  there_ = sys::path_exists(path_);
  if (!there_) make();
}

void Reserve::make() {
  auto file = sys::open_file(path_, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
  there_ = file && ::posix_fallocate(file->get(), 0, kReserveBytes) == 0;
  if (!there_) (void)sys::remove_file(path_);  // half a reserve is only in the way
}

void Reserve::before_write() {
  struct statvfs info;
  if (::statvfs(directory_.c_str(), &info) < 0) return;
  const uint64_t free = static_cast<uint64_t>(info.f_bfree) * info.f_frsize;
  if (there_ && free < kLowWater) {
    (void)sys::remove_file(path_);
    there_ = false;
  } else if (!there_ && free > kHighWater) {
    make();
  }
}

}  // namespace sampan::store
