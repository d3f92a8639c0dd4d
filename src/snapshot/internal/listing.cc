#include "snapshot/internal/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "sys/error.h"
#include "sys/safe_path.h"
#include "sys/tree.h"

namespace sampan::snapshot {

bool is_whiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

bool is_opaque(int dir) {
  return sys::read_xattr(dir, "trusted.overlay.opaque").value_or("") == "y";
}

Result<Listing> list_layer_dir(int root, const std::string& path) {
  Listing out;
  auto dir = sys::open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!dir) {
    int err = dir.error().errno_value();
    // Gone or replaced by a running container, or deeper than a path can say.
    if (err == ENOENT || err == ENOTDIR || err == ELOOP || err == ENAMETOOLONG) return out;
    return std::move(dir).error();
  }
  out.opaque = is_opaque(dir->get());
  DIR* stream = ::fdopendir(dir->get());
  if (!stream) return sys::sys_error("fdopendir", path);
  (void)dir->release();  // the stream owns it now
  errno = 0;
  while (dirent* entry = ::readdir(stream)) {
    std::string_view name = entry->d_name;
    Listed listed{entry->d_name, {}};
    if (name != "." && name != ".." &&
        ::fstatat(::dirfd(stream), entry->d_name, &listed.info, AT_SYMLINK_NOFOLLOW) == 0) {
      out.entries.push_back(std::move(listed));
    }
    errno = 0;
  }
  int err = errno;
  ::closedir(stream);
  if (err != 0) return sys::sys_error_of(err, "readdir", path);
  return out;
}

}  // namespace sampan::snapshot
