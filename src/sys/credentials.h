#pragma once
// sys/credentials: user and group ids, capabilities and seccomp filters of the calling (single) thread.
//
// Source: capabilities(7), capset(2), prctl(2), seccomp(2).

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// One bit a capability.
using CapabilityMask = uint64_t;
/// "CAP_CHOWN" (or "CHOWN", any case) to its number. nullopt: unknown to us.
std::optional<unsigned> capability_of_name(std::string_view name);
/// "CAP_CHOWN" of the number, "" past the last one that is known.
std::string_view capability_name(unsigned number);
/// Every capability that this program knows, in the kernel's order: the index is the number.
std::span<const std::string_view> capability_names();
/// Every capability that the running kernel has.
CapabilityMask all_capabilities();

struct CapabilitySets {
  CapabilityMask effective = 0, permitted = 0, inheritable = 0;
};
Result<CapabilitySets> get_capabilities();
Result<void> set_capabilities(const CapabilitySets& sets);
/// Drops from the bounding set everything that is not in `keep`.
Result<void> limit_bounding_set(CapabilityMask keep);
Result<void> clear_ambient_set();
Result<void> raise_ambient(CapabilityMask raised);
Result<void> set_keep_capabilities(bool keep);

Result<void> set_groups(std::span<const gid_t> groups);
Result<void> set_all_uids(uid_t uid);
Result<void> set_all_gids(gid_t gid);

namespace seccomp_flag {
inline constexpr unsigned kTsync = 1, kLog = 2, kSpecAllow = 4, kNewListener = 8, kTsyncEsrch = 16, kWaitKillable = 32;
}
/// Loads a filter of 8-byte instructions; returns the listener's descriptor with kNewListener, an invalid one
/// otherwise.
Result<Fd> load_seccomp(std::span<const uint64_t> program, unsigned flags);

}  // namespace sampan::sys
