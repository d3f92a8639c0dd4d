// The parameters of a file system that fsopen() would hold: each is "key\0" or "key=value\0" in a file in memory.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/old_mount_flags.h"
#include "sys/staged_mount.h"

namespace sampan::sys::staged {

Result<FsContextFd> open_context(const std::string& type) {
  int fd = ::memfd_create("fs-context", MFD_CLOEXEC);
  if (fd < 0) return sys_error("memfd_create");
  FsContextFd context(fd);
  TRY(write_all(fd, type + '\0'));
  return context;
}

Result<void> add_to_context(const FsContextFd& fs, const std::string& key, const std::string* value) {
  return write_all(fs.get(), key + (value ? "=" + *value : std::string()) + '\0');
}

Result<MountFd> make_mount(const FsContextFd& fs, uint64_t attributes) {
  if (::lseek(fs.get(), 0, SEEK_SET) < 0) return sys_error("lseek");
  auto parameters = split(TRY(read_fd(fs.get())), '\0');
  MountData mount;
  for (size_t i = 1; i + 1 < parameters.size(); ++i) {  // the type is the first, and the text ends with a separator
    size_t equals = parameters[i].find('=');
    std::string value = equals == std::string::npos ? "" : parameters[i].substr(equals + 1);
    TRY(add_parameter(mount, parameters[i].substr(0, equals), equals == std::string::npos ? nullptr : &value));
  }
  return mount_filesystem(parameters[0], mount.source.empty() ? "none" : mount.source, mount.flags, mount.data,
                          attributes);
}

}  // namespace sampan::sys::staged
