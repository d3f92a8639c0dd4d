// devices: files on version 1, a BPF program on version 2.
// Source: kernel cgroup-v1/devices.rst, cgroup-v2.rst "Device controller", include/uapi/linux/bpf.h bpf_cgroup_dev_ctx.
#include <fcntl.h>

#include <cerrno>

#include "base/strings.h"
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/device_list.h"
#include "cgroup/internal/files.h"
#include "sys/bpf.h"
#include "sys/file.h"

namespace sampan::cgroup::internal {
namespace {

bool asked(const oci::Resources& resources) {
  return !resources.devices.empty();
}

bool is_everything(const oci::DeviceRule& rule) {
  return (rule.type.empty() || rule.type == "a") && !rule.major && !rule.minor;
}

/// Only the difference to what is in force is written: an update must refuse nothing, not for a moment, that is
/// allowed before and after.
Result<void> apply_v1(const Request& request) {
  auto target = TRY(DeviceList::of_rules(request.asked.devices));
  auto current = TRY(DeviceList::of_kernel_list(read_text(request.dir, "devices.list")));
  for (const auto& rule : current.changes_to(target)) {
    std::string line = format_device_rule(rule);
    TRY_CONTEXT(write_value(request.dir, rule.allow ? "devices.allow" : "devices.deny", line), "device rule " + line);
  }
  return {};
}

// One instruction: opcode, destination and source registers, jump offset, immediate; laid out as the kernel's bpf_insn.
constexpr uint64_t instruction(uint8_t code, uint8_t dst, uint8_t src, int16_t offset, int32_t immediate) {
  return uint64_t{code} | uint64_t{dst} << 8 | uint64_t{src} << 12 | uint64_t{static_cast<uint16_t>(offset)} << 16 |
         uint64_t{static_cast<uint32_t>(immediate)} << 32;
}
constexpr uint8_t kLoadWord = 0x61, kAndImm = 0x54, kShiftRight = 0x74, kMove = 0xbc, kMoveImm = 0xb4, kJumpNe = 0x56,
                  kJumpNeReg = 0x5e, kExit = 0x95;
constexpr int32_t kMknod = 1, kRead = 2, kWrite = 4, kBlock = 1, kCharacter = 2;

int32_t access_bits(const std::string& access) {
  int32_t bits = 0;
  for (char c : access) bits |= c == 'r' ? kRead : c == 'w' ? kWrite : c == 'm' ? kMknod : 0;
  return bits;
}

/// r2 type, r3 access, r4 major, r5 minor. A rule that allows matches when it covers all that is wanted; one that
/// refuses, when it covers any of it.
void append_rule(std::vector<uint64_t>& program, const oci::DeviceRule& rule) {
  std::vector<uint64_t> body;
  std::vector<size_t> skips;
  auto skip_if_ne = [&](uint8_t reg, int32_t value) {
    skips.push_back(body.size());
    body.push_back(instruction(kJumpNe, reg, 0, 0, value));
  };
  if (rule.type == "c") skip_if_ne(2, kCharacter);
  if (rule.type == "b") skip_if_ne(2, kBlock);
  int32_t bits = access_bits(rule.access);
  if (bits != (kRead | kWrite | kMknod)) {
    body.push_back(instruction(kMove, 1, 3, 0, 0));
    body.push_back(instruction(kAndImm, 1, 0, 0, bits));
    skips.push_back(body.size());
    // Allow: skip unless access & bits == access. Refuse: skip if access & bits == 0 (0x16 is "jump if equal").
    body.push_back(rule.allow ? instruction(kJumpNeReg, 1, 3, 0, 0) : instruction(0x16, 1, 0, 0, 0));
  }
  if (rule.major) skip_if_ne(4, static_cast<int32_t>(*rule.major));
  if (rule.minor) skip_if_ne(5, static_cast<int32_t>(*rule.minor));
  body.push_back(instruction(kMoveImm, 0, 0, 0, rule.allow ? 1 : 0));
  body.push_back(instruction(kExit, 0, 0, 0, 0));
  for (size_t at : skips) body[at] |= uint64_t{static_cast<uint16_t>(body.size() - at - 1)} << 16;
  program.insert(program.end(), body.begin(), body.end());
}

/// Rules for one device add up ("r" and then "w" is "rw"), where they can be told as version 1 would keep them; a
/// refusal inside a wildcard it cannot keep, and the program takes the rules as they are.
std::vector<oci::DeviceRule> merged(const std::vector<oci::DeviceRule>& rules) {
  auto list = DeviceList::of_rules(rules);
  return list ? DeviceList().changes_to(*list) : rules;
}

bool in_user_namespace() {
  auto text = sys::read_file("/proc/self/uid_map");
  return text && !trim(*text).ends_with(" 4294967295");
}

Result<void> attach_program(const Request& request) {
  auto program = TRY(sys::load_device_program(compile_device_program(merged(request.asked.devices))));
  auto dir = TRY(sys::open_file(request.dir, O_RDONLY | O_DIRECTORY));
  return sys::attach_device_program(dir.get(), program);
}

/// Inside a user namespace bpf(2) is refused, but neither can a node be made there nor one opened on a file system that
/// is mounted there: the container has what its caller may open, with or without the program.
Result<void> apply_v2(const Request& request) {
  auto attached = attach_program(request);
  if (!attached && attached.error().errno_value() == EPERM && in_user_namespace()) return {};
  return attached;
}

}  // namespace

std::string format_device_rule(const oci::DeviceRule& rule) {
  if (is_everything(rule)) return "a";
  auto number = [](const std::optional<int64_t>& value) { return value && *value >= 0 ? std::to_string(*value) : "*"; };
  return fmt::format("{} {}:{} {}", rule.type.empty() ? "a" : rule.type, number(rule.major), number(rule.minor),
                     rule.access);
}

std::vector<uint64_t> compile_device_program(const std::vector<oci::DeviceRule>& rules) {
  std::vector<uint64_t> program = {
      instruction(kLoadWord, 2, 1, 0, 0),  // access_type: type in the low half, access in the high half
      instruction(kMove, 3, 2, 0, 0),     instruction(kAndImm, 2, 0, 0, 0xffff), instruction(kShiftRight, 3, 0, 0, 16),
      instruction(kLoadWord, 4, 1, 4, 0), instruction(kLoadWord, 5, 1, 8, 0),
  };
  bool decided = false;
  for (size_t i = rules.size(); i-- > 0 && !decided;) {  // the last matching rule wins: ask it first
    oci::DeviceRule rule = rules[i];
    if (rule.major && *rule.major < 0) rule.major.reset();
    if (rule.minor && *rule.minor < 0) rule.minor.reset();
    if (rule.access.empty()) rule.access = "rwm";
    append_rule(program, rule);
    decided = is_everything(rule) && access_bits(rule.access) == (kRead | kWrite | kMknod);
  }
  if (!decided) {
    program.push_back(instruction(kMoveImm, 0, 0, 0, 0));
    program.push_back(instruction(kExit, 0, 0, 0, 0));
  }
  return program;
}

const Controller kDevices{"devices", "", asked, apply_v1, apply_v2, nullptr, nullptr};

}  // namespace sampan::cgroup::internal
