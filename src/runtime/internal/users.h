#pragma once
// Docker's "user[:group]" resolved against the root filesystem's own /etc/passwd and /etc/group; nothing of the host's
// user database is ever asked. The parsing part is pure.
//
// A string of digits is a number, never a name, however large (CVE-2016-3697 and its relatives); numbers are checked
// against 0..2^32-2 before they are narrowed. The primary group is always in the supplementary set.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::runtime::internal {

struct Identity {
  uint32_t uid = 0, gid = 0;
  std::vector<gid_t> groups;  // supplementary, the primary one included, sorted
  std::string home = "/";
};

struct UserRequest {
  std::string user;  // "user[:group]", not empty
  std::vector<std::string> group_add;
};

/// Errors: InvalidArgument with Docker's words ("unable to find user x: no matching entries in passwd file").
Result<Identity> resolve_user(const UserRequest& request, std::string_view passwd, std::string_view group);
/// The home directory of a number in a passwd file, nullopt when it has none.
std::optional<std::string> home_of(uint32_t uid, std::string_view passwd);
/// Adds the names or numbers to the supplementary groups.
Result<void> add_groups(Identity& identity, const std::vector<std::string>& names, std::string_view group);
void set_supplementary(Identity& identity, std::vector<gid_t> groups);

}  // namespace sampan::runtime::internal
