#pragma once
// oci/user_mappings: which ids of the host stand behind the users and groups of a user namespace.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"

namespace sampan::oci {

struct UserMappings {
  std::vector<IdMapping> uids, gids;  // both empty: no user namespace
  bool empty() const { return uids.empty(); }
  bool operator==(const UserMappings& other) const;
};

/// The id on the host of an id inside, and back. nullopt: it has none.
std::optional<uint32_t> host_id(const std::vector<IdMapping>& mappings, uint32_t inside);
std::optional<uint32_t> inside_id(const std::vector<IdMapping>& mappings, uint32_t host);

/// The ranges that subuid(5) or subgid(5) text gives to `owner`, by name or by number, one after another from 0 on.
/// Lines that are not NAME:FIRST:COUNT are none. Errors: InvalidArgument (ranges that leave 32 bits).
Result<std::vector<IdMapping>> parse_subordinate_ids(std::string_view text, std::string_view owner,
                                                     std::optional<uint32_t> number);
/// A file as /proc/PID/uid_map.
std::vector<IdMapping> parse_id_map(std::string_view text);

}  // namespace sampan::oci
