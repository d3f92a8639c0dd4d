#include "sys/disk.h"

#include <sys/statvfs.h>

#include "sys/error.h"

namespace sampan::sys {

Result<uint64_t> free_bytes(const std::string& path) {
  struct statvfs facts;
  if (::statvfs(path.c_str(), &facts) != 0) return sys_error("statvfs", path);
  return static_cast<uint64_t>(facts.f_bavail) * facts.f_frsize;
}

}  // namespace sampan::sys
