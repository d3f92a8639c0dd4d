#include "sys/user_namespace.h"

#include <linux/nsfs.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/credentials.h"
#include "sys/error.h"

namespace sampan::sys {

Result<NsFd> owner_of_namespace(int ns) {
  int owner = ::ioctl(ns, NS_GET_USERNS);
  if (owner < 0) return sys_error("ioctl NS_GET_USERNS");
  return NsFd(owner);
}

// The kernel takes the capabilities about files away with the identity; they are permitted still.
Result<FileIdentity> FileIdentity::assume(uid_t uid, gid_t gid) {
  auto before = TRY(get_capabilities());
  FileIdentity identity;
  ::setfsgid(gid);
  ::setfsuid(uid);
  if (::setfsuid(uid) != static_cast<int>(uid) || ::setfsgid(gid) != static_cast<int>(gid))
    return sys_error_of(EPERM, "setfsuid", std::to_string(uid));
  TRY(set_capabilities(before));
  return identity;
}

FileIdentity::~FileIdentity() {
  if (!active_) return;
  ::setfsuid(::geteuid());  // with it the kernel gives the capabilities back
  ::setfsgid(::getegid());
}

}  // namespace sampan::sys
