#pragma once
// A caller that is not root: it makes a user namespace, becomes root in it together with a mount namespace of its own,
// and goes on from there as root would. The calling process stays in it; the container's user namespace is this one.
//
// Threads: single-threaded caller.
// Source: user_namespaces(7), newuidmap(1).

#include <sys/types.h>

#include "base/result.h"
#include "oci/spec.h"
#include "sys/fd.h"

namespace sampan::runtime::internal {

/// Errors: InvalidArgument (the specification has no new user namespace, or does not map root), NotFound (the mapping
/// is more than the caller's own id, and there is no newuidmap), PermissionDenied.
Result<void> become_root_of_own_namespace(const oci::Spec& spec);
/// The same for a further process of the container: enters the user namespace of its init.
Result<void> join_as_root(const sys::PidFd& init);
/// Whether the caller is in some other user namespace than the machine's first.
bool in_user_namespace();
/// Whether setgroups(2) is refused in the user namespace of the process.
bool setgroups_denied(const std::string& process);
/// Whether anything but the device rules that every container has is asked of the control groups.
bool wants_limits(const oci::Spec& spec);

}  // namespace sampan::runtime::internal
