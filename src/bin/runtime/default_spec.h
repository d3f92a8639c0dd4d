#pragma once
// The specification that `sampan-runtime spec` writes: a shell on a read-only root, confined as a container should be.
// Pure.

#include "oci/spec.h"

namespace sampan::bin {

oci::Spec default_spec();
/// Makes of it one for the user with these ids, who has no rights: a user namespace with only them in it, the host's
/// network and /sys, and no limits.
void make_rootless(oci::Spec& spec, uint32_t uid, uint32_t gid);

}  // namespace sampan::bin
