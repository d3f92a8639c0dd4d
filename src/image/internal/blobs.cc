#include "image/internal/blobs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "oci/image.h"
#include "sys/file.h"

namespace sampan::image {
namespace {

constexpr time_t kPartialLife = 24 * 3600;

std::string hex_of(const std::string& digest) {
  return digest.substr(digest.find(':') + 1);
}

bool is_young_partial(const std::string& path) {
  struct stat info;
  if (!path.ends_with(".partial") || ::lstat(path.c_str(), &info) < 0 || !S_ISREG(info.st_mode)) return false;
  return ::time(nullptr) - info.st_mtime < kPartialLife;
}

}  // namespace

Result<void> Blobs::create() {
  TRY(sys::make_dirs(root_ + "/blobs/sha256"));
  TRY(sys::make_dirs(tmp_dir()));
  return {};
}

std::string Blobs::path(const std::string& digest) const {
  return root_ + "/blobs/sha256/" + hex_of(digest);
}
std::string Blobs::partial(const std::string& digest) const {
  return tmp_dir() + "/" + hex_of(digest) + ".partial";
}
bool Blobs::has(const std::string& digest) const {
  return !digest.empty() && sys::path_exists(path(digest));
}

std::string Blobs::fresh_name(const std::string& kind) const {
  static std::atomic<uint64_t> counter{0};
  return fmt::format("{}/{}-{}-{}", tmp_dir(), kind, ::getpid(), counter++);
}

Result<void> Blobs::publish(const std::string& file, const std::string& digest) {
  {
    auto fd = TRY(sys::open_file(file, O_RDONLY | O_NOFOLLOW));
    TRY_CONTEXT(sys::sync_fd(fd.get()), file);
  }
  TRY(sys::rename_path(file, path(digest)));
  return sys::sync_dir(root_ + "/blobs/sha256");
}

Result<void> Blobs::remove(const std::string& digest) {
  return sys::remove_file(path(digest));
}

Result<std::vector<std::string>> Blobs::list() {
  auto names = TRY(sys::list_dir(root_ + "/blobs/sha256"));
  for (auto& name : names) name = "sha256:" + name;
  return names;
}

Result<void> Blobs::clean_tmp() {
  for (const auto& name : TRY(sys::list_dir(tmp_dir()))) {
    std::string path = tmp_dir() + "/" + name;
    if (!is_young_partial(path)) TRY(sys::remove_tree(path));
  }
  return {};
}

uint64_t Blobs::free_bytes() const {
  struct statvfs info;
  if (::statvfs(root_.c_str(), &info) < 0) return 0;
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace sampan::image
