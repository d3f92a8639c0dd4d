#include "runtime/internal/bpf_program.h"

#include <algorithm>
#include <map>
#include <set>

namespace sampan::runtime::internal {
namespace {

using namespace bpf_code;

constexpr uint32_t kNumberOffset = 0, kArchOffset = 4, kDataSize = 64;

struct Instruction {
  uint16_t code;
  uint8_t jt, jf;
  uint32_t k;
};
Instruction decode(uint64_t word) {
  return {static_cast<uint16_t>(word), static_cast<uint8_t>(word >> 16), static_cast<uint8_t>(word >> 24),
          static_cast<uint32_t>(word >> 32)};
}

bool is_branch(uint16_t code) {
  return code == kJumpEqual || code == kJumpGreater || code == kJumpAtLeast || code == kJumpSet;
}
bool is_known(uint16_t code) {
  return is_branch(code) || code == kLoad || code == kJump || code == kAnd || code == kReturn;
}

bool branch_taken(const Instruction& in, uint32_t accumulator) {
  switch (in.code) {
    case kJumpEqual:
      return accumulator == in.k;
    case kJumpGreater:
      return accumulator > in.k;
    case kJumpAtLeast:
      return accumulator >= in.k;
    default:
      return (accumulator & in.k) != 0;
  }
}

uint32_t load(const CallData& call, uint32_t offset) {
  if (offset == kNumberOffset) return call.number;
  if (offset == kArchOffset) return call.arch;
  uint64_t whole = offset < 16 ? call.instruction_pointer : call.args[(offset - 16) / 8];
  return static_cast<uint32_t>(offset % 8 == 0 ? whole : whole >> 32);  // little endian, as every caller's kernel is
}

/// Where the number and the architecture alone lead: to an answer, or to the instruction that first looks further.
struct Decision {
  bool constant = true;
  uint32_t value = 0;  // the answer, or the place of that instruction
  auto operator<=>(const Decision&) const = default;
};

std::optional<Decision> decide(std::span<const uint64_t> program, uint32_t arch, uint32_t number) {
  uint32_t accumulator = 0;
  for (size_t pc = 0; pc < program.size(); ++pc) {
    Instruction in = decode(program[pc]);
    if (in.code == kReturn) return Decision{true, in.k};
    if (in.code == kJump)
      pc += in.k;
    else if (in.code == kAnd)
      accumulator &= in.k;
    else if (is_branch(in.code))
      pc += branch_taken(in, accumulator) ? in.jt : in.jf;
    else if (in.k == kNumberOffset)
      accumulator = number;
    else if (in.k == kArchOffset)
      accumulator = arch;
    else
      return Decision{false, static_cast<uint32_t>(pc)};
  }
  return std::nullopt;
}

struct Range {
  uint32_t first;
  Decision decision;
};

/// The answers of one architecture over all numbers. Every comparison of the number is with a constant, so nothing can
/// change but at one of those constants or right after it.
std::optional<std::vector<Range>> ranges_of(std::span<const uint64_t> program, uint32_t arch,
                                            const std::set<uint32_t>& edges) {
  std::vector<Range> out;
  for (uint32_t edge : edges) {
    auto decision = decide(program, arch, edge);
    if (!decision) return std::nullopt;
    if (out.empty() || out.back().decision != *decision) out.push_back({edge, *decision});
  }
  return out;
}

std::vector<size_t> successors(const Instruction& in, size_t pc) {
  if (in.code == kReturn) return {};
  if (in.code == kJump) return {pc + 1 + in.k};
  if (is_branch(in.code)) return {pc + 1 + in.jt, pc + 1 + in.jf};
  return {pc + 1};
}

class Emitter {
 public:
  explicit Emitter(std::span<const uint64_t> original) : original_(original) {}

  /// Code that answers by the ranges; the accumulator holds the number.
  std::vector<uint64_t> bisect(std::span<const Range> ranges) {
    if (ranges.size() == 1) return leaf(ranges[0].decision);
    size_t middle = ranges.size() / 2;
    auto low = bisect(ranges.first(middle)), high = bisect(ranges.subspan(middle));
    std::vector<uint64_t> code;
    if (low.size() <= 255) {
      code.push_back(bpf(kJumpAtLeast, static_cast<uint8_t>(low.size()), 0, ranges[middle].first));
    } else {
      code.push_back(bpf(kJumpAtLeast, 0, 1, ranges[middle].first));
      code.push_back(bpf(kJump, 0, 0, static_cast<uint32_t>(low.size())));
    }
    code.insert(code.end(), low.begin(), low.end());
    code.insert(code.end(), high.begin(), high.end());
    return code;
  }

 private:
  std::vector<uint64_t> leaf(const Decision& decision) const {
    if (decision.constant) return {bpf(kReturn, 0, 0, decision.value)};
    return residue(decision.value);
  }

  /// The instructions that can be reached from `start`, with their jumps drawn together.
  std::vector<uint64_t> residue(size_t start) const {
    std::map<size_t, size_t> place;  // old to new
    std::set<size_t> pending = {start};
    while (!pending.empty()) {  // jumps lead forward only, so the lowest is always complete
      size_t pc = *pending.begin();
      pending.erase(pending.begin());
      place.emplace(pc, place.size());
      for (size_t next : successors(decode(original_[pc]), pc)) pending.insert(next);
    }
    std::vector<uint64_t> code;
    for (const auto& [old, fresh] : place) {
      Instruction in = decode(original_[old]);
      auto distance = [&](size_t target) { return place.at(target) - fresh - 1; };
      if (in.code == kJump)
        code.push_back(bpf(kJump, 0, 0, static_cast<uint32_t>(distance(old + 1 + in.k))));
      else if (is_branch(in.code))
        code.push_back(bpf(in.code, static_cast<uint8_t>(distance(old + 1 + in.jt)),
                           static_cast<uint8_t>(distance(old + 1 + in.jf)), in.k));
      else
        code.push_back(original_[old]);  // what follows it was reached through it: it is the next in order here too
    }
    return code;
  }

  std::span<const uint64_t> original_;
};

/// What the architecture is compared with, and the numbers at which an answer can change.
struct Constants {
  std::set<uint32_t> edges = {0}, architectures;
};

/// What the accumulator can hold at an instruction, as bits.
enum Held : uint8_t { kHoldsNumber = 1, kHoldsArch = 2, kHoldsOther = 4 };
Held held_after_load(uint32_t offset) {
  return offset == kNumberOffset ? kHoldsNumber : offset == kArchOffset ? kHoldsArch : kHoldsOther;
}

/// nullopt: an instruction that is not understood, or one that leads out of the program.
std::optional<Constants> constants_of(std::span<const uint64_t> program) {
  Constants constants;
  std::vector<uint8_t> held(program.size());  // jumps lead forward only: complete when its instruction is reached
  for (size_t pc = 0; pc < program.size(); ++pc) {
    Instruction in = decode(program[pc]);
    size_t furthest = pc + 1 + (in.code == kJump ? in.k : is_branch(in.code) ? std::max(in.jt, in.jf) : 0);
    if (!is_known(in.code) || (in.code != kReturn && furthest >= program.size())) return std::nullopt;
    if (in.code == kLoad && (in.k >= kDataSize || in.k % 4 != 0)) return std::nullopt;
    uint8_t after = in.code == kLoad ? held_after_load(in.k) : held[pc];
    for (size_t next : successors(in, pc)) held[next] |= after;
    if (!is_branch(in.code)) continue;
    if (after & kHoldsArch) {
      if (in.code != kJumpEqual) return std::nullopt;
      constants.architectures.insert(in.k);
    }
    if (!(after & kHoldsNumber)) continue;
    constants.edges.insert(in.k);
    if (in.k != UINT32_MAX) constants.edges.insert(in.k + 1);
  }
  return constants;
}

/// True when the number and the architecture are compared only as a whole: masks and bit tests apply to arguments
/// alone.
bool whole_comparisons_only(std::span<const uint64_t> program) {
  // Masks are only ever applied right after an argument was loaded.
  for (size_t pc = 0; pc < program.size(); ++pc) {
    uint16_t code = decode(program[pc]).code;
    if (code == kJumpSet) return false;
    if (code != kAnd) continue;
    if (pc == 0) return false;
    Instruction before = decode(program[pc - 1]);
    if (before.code != kLoad || before.k < 16) return false;
  }
  return true;
}

}  // namespace

std::optional<uint32_t> run_filter(std::span<const uint64_t> program, const CallData& call) {
  uint32_t accumulator = 0;
  for (size_t pc = 0; pc < program.size(); ++pc) {
    Instruction in = decode(program[pc]);
    if (in.code == kReturn) return in.k;
    if (in.code == kLoad)
      accumulator = load(call, in.k);
    else if (in.code == kAnd)
      accumulator &= in.k;
    else if (in.code == kJump)
      pc += in.k;
    else if (is_branch(in.code))
      pc += branch_taken(in, accumulator) ? in.jt : in.jf;
    else
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<uint64_t> compact_filter(const std::vector<uint64_t>& program) {
  auto constants = constants_of(program);
  if (!constants || !whole_comparisons_only(program)) return program;
  // An architecture that is named nowhere, whatever its number, is answered like any other such one.
  uint32_t stranger = 0;
  while (constants->architectures.contains(stranger)) ++stranger;
  auto others = ranges_of(program, stranger, constants->edges);
  if (!others || others->size() != 1 || !(*others)[0].decision.constant) return program;
  Emitter emitter(program);
  std::vector<uint64_t> out = {bpf(kLoad, 0, 0, kArchOffset)};
  for (uint32_t arch : constants->architectures) {
    auto ranges = ranges_of(program, arch, constants->edges);
    if (!ranges) return program;
    bool as_others = ranges->size() == 1 && (*ranges)[0].decision == (*others)[0].decision;
    if (as_others) continue;
    auto body = emitter.bisect(*ranges);
    out.push_back(bpf(kJumpEqual, 1, 0, arch));
    out.push_back(bpf(kJump, 0, 0, static_cast<uint32_t>(body.size() + 1)));
    out.push_back(bpf(kLoad, 0, 0, kNumberOffset));
    out.insert(out.end(), body.begin(), body.end());
  }
  out.push_back(bpf(kReturn, 0, 0, (*others)[0].decision.value));
  return out.size() < program.size() ? out : program;
}

}  // namespace sampan::runtime::internal
