#include "sys/kernel_features.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace sampan::sys {

bool has_seccomp_flag(unsigned flag) {
  // A missing program is looked at after the flags: EFAULT says that they were known.
  unsigned with = flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag | with, nullptr) < 0 && errno == EFAULT;
}

bool has_mount_setattr() {
  // An attribute block of no size is refused by every kernel that has the call.
  return ::syscall(SYS_mount_setattr, -1, "", 0, nullptr, 0) < 0 && errno != ENOSYS;
}

bool has_clone3() {
  // As above.
  return ::syscall(SYS_clone3, nullptr, 0) < 0 && errno != ENOSYS;
}

}  // namespace sampan::sys
