#pragma once
// engine/internal/names: random identifiers, and names for containers that were given none.

#include <cstdint>
#include <string>

namespace sampan::engine {

/// 64 hexadecimal digits from the kernel's random source; never all digits in its first twelve, so that a short id is
/// not taken for a number.
std::string random_id();
/// "calm_torvalds" from `seed`; `attempt` > 0 adds a digit.
std::string make_name(uint64_t seed, int attempt);
uint64_t random_seed();

}  // namespace sampan::engine
