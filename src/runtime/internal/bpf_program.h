#pragma once
// Classic BPF programs over seccomp data, as values: running one, and making one smaller without changing what it
// answers. Pure. Source: kernel Documentation/networking/filter.rst; struct seccomp_data.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sampan::runtime::internal {

/// One instruction: opcode, jump if true, jump if false, operand; laid out as the kernel's sock_filter.
constexpr uint64_t bpf(uint16_t code, uint8_t jt, uint8_t jf, uint32_t k) {
  return uint64_t{code} | uint64_t{jt} << 16 | uint64_t{jf} << 24 | uint64_t{k} << 32;
}
namespace bpf_code {
inline constexpr uint16_t kLoad = 0x20, kJump = 0x05, kJumpEqual = 0x15, kJumpGreater = 0x25, kJumpAtLeast = 0x35,
                          kJumpSet = 0x45, kAnd = 0x54, kReturn = 0x06;
}

/// What a system call looks like to a filter.
struct CallData {
  uint32_t number = 0, arch = 0;
  uint64_t instruction_pointer = 0;
  std::array<uint64_t, 6> args = {};
};

/// The filter's answer. nullopt: an instruction that these filters do not use, or no return.
std::optional<uint32_t> run_filter(std::span<const uint64_t> program, const CallData& call);

/// A program with the same answer to every call, that finds the number by bisection over ranges instead of comparing it
/// with one number after the other; the kernel translates it in a fraction of the time at every start of a container.
/// Where the answer depends on arguments, the original's own instructions are kept. A program that it does not
/// understand comes back as it was.
std::vector<uint64_t> compact_filter(const std::vector<uint64_t>& program);

}  // namespace sampan::runtime::internal
