#pragma once
// User and group id mappings: written for a child's new user namespace, and made into a namespace of their own for
// idmapped mounts. Source: user_namespaces(7), mount_setattr(2) "ID-mapped mounts".

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"
#include "sys/fd.h"

namespace sampan::runtime::internal {

std::string format_mappings(const std::vector<oci::IdMapping>& mappings);
/// Writes uid_map and gid_map of the process.
Result<void> write_mappings(pid_t pid, const std::vector<oci::IdMapping>& uids,
                            const std::vector<oci::IdMapping>& gids);
/// A user namespace that nobody is in. Threads: single-threaded caller (it clones).
Result<sys::NsFd> make_user_namespace(const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids);

}  // namespace sampan::runtime::internal
