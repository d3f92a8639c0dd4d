#pragma once
// daemon/user_mappings: the value of userns-remap to ranges of ids.

#include <string>

#include "base/result.h"
#include "oci/user_mappings.h"

namespace sampan::daemon {

struct IdFiles {
  std::string subuid = "/etc/subuid", subgid = "/etc/subgid";
};

/// USER, UID, USER:GROUP or UID:GID; "default" is the user dockremap, who needs ranges but no account: no account is
/// made for it. "" and root have no mappings. Errors: InvalidArgument or NotFound in Docker's words.
Result<oci::UserMappings> find_user_mappings(const std::string& remap, const IdFiles& files = {});

}  // namespace sampan::daemon
