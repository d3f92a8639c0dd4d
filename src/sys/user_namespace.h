#pragma once
// sys/user_namespace: acting for the root of a user namespace while staying outside of it.
//
// Threads: the calling one.
// Source: user_namespaces(7), setfsuid(2), ioctl_ns(2).

#include <sys/types.h>

#include <utility>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// The user namespace that owns a namespace.
Result<NsFd> owner_of_namespace(int ns);

/// While this lives, the calling thread makes files as this user and group, with the rights that it has anyway: where
/// ids are mapped, those of the host's root mean nobody, and a file of nobody's cannot be made.
class FileIdentity {
 public:
  static Result<FileIdentity> assume(uid_t uid, gid_t gid);
  FileIdentity(FileIdentity&& other) noexcept : active_(std::exchange(other.active_, false)) {}
  FileIdentity& operator=(FileIdentity&&) = delete;
  ~FileIdentity();

 private:
  FileIdentity() = default;
  bool active_ = true;
};

}  // namespace sampan::sys
