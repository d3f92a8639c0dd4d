// Compiles a seccomp section. libseccomp knows the system calls of every architecture; what it cannot say is put in
// front: numbers above the newest one that the profile knows answer ENOSYS instead of the default action, so that a
// newer libc falls back to older calls instead of dying of EPERM.
// Source: runtime-spec config-linux.md "Seccomp"; seccomp(2); seccomp_rule_add(3).
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/internal/bpf_program.h"
#include "runtime/internal/seccomp.h"
#include "runtime/runtime.h"
#include "sys/credentials.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::runtime {
namespace internal {
namespace {

struct FilterCloser {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterCloser>;

struct Architecture {
  std::string_view name;  // "SCMP_ARCH_" left out
  uint32_t token;
};
constexpr Architecture kArchitectures[] = {
    {"NATIVE", SCMP_ARCH_NATIVE}, {"X86", SCMP_ARCH_X86},           {"X86_64", SCMP_ARCH_X86_64},
    {"X32", SCMP_ARCH_X32},       {"ARM", SCMP_ARCH_ARM},           {"AARCH64", SCMP_ARCH_AARCH64},
    {"MIPS", SCMP_ARCH_MIPS},     {"MIPS64", SCMP_ARCH_MIPS64},     {"MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"MIPSEL", SCMP_ARCH_MIPSEL}, {"MIPSEL64", SCMP_ARCH_MIPSEL64}, {"MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"PPC", SCMP_ARCH_PPC},       {"PPC64", SCMP_ARCH_PPC64},       {"PPC64LE", SCMP_ARCH_PPC64LE},
    {"S390", SCMP_ARCH_S390},     {"S390X", SCMP_ARCH_S390X},       {"RISCV64", SCMP_ARCH_RISCV64},
    {"PARISC", SCMP_ARCH_PARISC}, {"PARISC64", SCMP_ARCH_PARISC64}};

Result<uint32_t> architecture(std::string_view name) {
  std::string_view plain = name.starts_with("SCMP_ARCH_") ? name.substr(10) : name;
  for (const auto& known : kArchitectures)
    if (known.name == plain) return known.token;
  // Real ones that this library does not know: they cannot run here either.
  for (std::string_view foreign : {"LOONGARCH64", "M68K", "SH", "SHEB"})
    if (foreign == plain) return uint32_t{0};
  return fail(Code::InvalidArgument, "unknown seccomp architecture \"{}\"", name);
}

Result<uint32_t> action(std::string_view name, std::optional<uint32_t> errno_ret) {
  uint32_t value = errno_ret.value_or(EPERM);
  if (errno_ret && name != "SCMP_ACT_ERRNO" && name != "SCMP_ACT_TRACE")
    return fail(Code::InvalidArgument, "seccomp action \"{}\" takes no errnoRet", name);
  if (name == "SCMP_ACT_ALLOW") return uint32_t{SCMP_ACT_ALLOW};
  if (name == "SCMP_ACT_ERRNO") return uint32_t{SCMP_ACT_ERRNO(value)};
  if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return uint32_t{SCMP_ACT_KILL_THREAD};
  if (name == "SCMP_ACT_KILL_PROCESS") return uint32_t{SCMP_ACT_KILL_PROCESS};
  if (name == "SCMP_ACT_TRAP") return uint32_t{SCMP_ACT_TRAP};
  if (name == "SCMP_ACT_TRACE") return uint32_t{SCMP_ACT_TRACE(value)};
  if (name == "SCMP_ACT_LOG") return uint32_t{SCMP_ACT_LOG};
  if (name == "SCMP_ACT_NOTIFY") return uint32_t{SCMP_ACT_NOTIFY};
  return fail(Code::InvalidArgument, "unknown seccomp action \"{}\"", name);
}

Result<scmp_compare> comparison(std::string_view name) {
  static constexpr std::pair<std::string_view, scmp_compare> kNames[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                                                                         {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                                         {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                                         {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                                         {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                                         {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                                         {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  for (const auto& [known, value] : kNames)
    if (known == name) return value;
  return fail(Code::InvalidArgument, "unknown seccomp operator \"{}\"", name);
}

Error library_error(const char* call, const std::string& operand, int result) {
  return sys::sys_error_of(-result, call, operand);
}

Result<void> add_condition_rules(void* filter, uint32_t what, int number, const std::string& name,
                                 const std::vector<scmp_arg_cmp>& conditions) {
  auto add = [&](const scmp_arg_cmp* first, unsigned count) -> Result<void> {
    int result = seccomp_rule_add_array(filter, what, number, count, first);
    // EDOM: not on this architecture; EEXIST: the same rule twice. Neither changes what is allowed.
    if (result < 0 && result != -EDOM && result != -EEXIST) return library_error("seccomp_rule_add", name, result);
    return {};
  };
  // The kernel's filters compare an argument once a rule: two comparisons of the same one are alternatives.
  bool twice = false;
  for (size_t i = 0; i < conditions.size(); ++i)
    for (size_t j = 0; j < i; ++j) twice = twice || conditions[i].arg == conditions[j].arg;
  if (!twice) return add(conditions.data(), static_cast<unsigned>(conditions.size()));
  for (const auto& condition : conditions) TRY(add(&condition, 1));
  return {};
}

Result<void> add_rule(void* filter, const oci::SeccompRule& rule, uint32_t default_action) {
  uint32_t what = TRY(action(rule.action, rule.errno_ret));
  if (what == default_action) return {};  // the library refuses such a rule
  std::vector<scmp_arg_cmp> conditions;
  for (const auto& arg : rule.args) {
    if (arg.index > 5) return fail(Code::InvalidArgument, "system calls have no argument {}", arg.index);
    conditions.push_back({arg.index, TRY(comparison(arg.op)), arg.value, arg.value_two});
  }
  for (const auto& name : rule.names) {
    int number = seccomp_syscall_resolve_name(name.c_str());
    if (number != __NR_SCMP_ERROR) TRY(add_condition_rules(filter, what, number, name, conditions));
  }
  return {};
}

Result<SeccompProgram> export_program(void* filter) {
  int raw = ::memfd_create("seccomp", MFD_CLOEXEC);
  if (raw < 0) return sys::sys_error("memfd_create");
  sys::Fd file(raw);
  int result = seccomp_export_bpf(filter, raw);
  if (result < 0) return library_error("seccomp_export_bpf", "", result);
  if (::lseek(raw, 0, SEEK_SET) < 0) return sys::sys_error("lseek");
  std::string bytes = TRY(sys::read_fd(raw));
  SeccompProgram program(bytes.size() / sizeof(uint64_t));
  std::copy_n(bytes.data(), program.size() * sizeof(uint64_t), reinterpret_cast<char*>(program.data()));
  return program;
}

using namespace bpf_code;
constexpr uint32_t kNumberOffset = 0, kArchOffset = 4, kX32Bit = 0x40000000, kReturnEnosys = 0x00050000 | ENOSYS;

}  // namespace

void append_newer_calls_stub(SeccompProgram& program, uint32_t audit_arch, uint32_t newest, uint32_t newest_x32) {
  if (audit_arch == SCMP_ARCH_X86_64) {
    program.insert(program.end(),
                   {bpf(kLoad, 0, 0, kArchOffset), bpf(kJumpEqual, 0, 5, audit_arch), bpf(kLoad, 0, 0, kNumberOffset),
                    bpf(kJumpAtLeast, 0, 1, kX32Bit), bpf(kJumpGreater, 1, 2, newest_x32 | kX32Bit),
                    bpf(kJumpGreater, 0, 1, newest), bpf(kReturn, 0, 0, kReturnEnosys)});
    return;
  }
  program.insert(program.end(),
                 {bpf(kLoad, 0, 0, kArchOffset), bpf(kJumpEqual, 0, 3, audit_arch), bpf(kLoad, 0, 0, kNumberOffset),
                  bpf(kJumpGreater, 0, 1, newest), bpf(kReturn, 0, 0, kReturnEnosys)});
}

namespace {

uint32_t newest_call(const oci::Seccomp& seccomp, uint32_t token) {
  int newest = 0;
  for (const auto& rule : seccomp.syscalls)
    for (const auto& name : rule.names)
      newest = std::max(newest, seccomp_syscall_resolve_name_arch(token, name.c_str()));
  return static_cast<uint32_t>(newest) & ~kX32Bit;
}

SeccompProgram newer_calls_stub(const oci::Seccomp& seccomp, uint32_t default_action,
                                const std::vector<uint32_t>& tokens) {
  SeccompProgram program;
  bool refuses = default_action != SCMP_ACT_ALLOW && default_action != SCMP_ACT_LOG &&
                 (default_action & 0x7fff0000U) != (SCMP_ACT_TRACE(0) & 0x7fff0000U);
  if (!refuses) return program;
  bool x32 = std::find(tokens.begin(), tokens.end(), SCMP_ARCH_X32) != tokens.end();
  for (uint32_t token : tokens)
    if (token != SCMP_ARCH_X32)
      append_newer_calls_stub(program, token, newest_call(seccomp, token),
                              x32 ? newest_call(seccomp, SCMP_ARCH_X32) : 0);
  return program;
}

}  // namespace

Result<unsigned> seccomp_flags(const std::vector<std::string>& names) {
  // Without flags: as every runtime, do not slow the program down with store-bypass mitigation it did not ask for.
  if (names.empty()) return sys::seccomp_flag::kSpecAllow;
  unsigned flags = 0;
  for (const auto& name : names) {
    if (name == "SECCOMP_FILTER_FLAG_LOG")
      flags |= sys::seccomp_flag::kLog;
    else if (name == "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
      flags |= sys::seccomp_flag::kSpecAllow;
    else if (name == "SECCOMP_FILTER_FLAG_TSYNC")
      flags |= sys::seccomp_flag::kTsync;
    else if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
      flags |= sys::seccomp_flag::kWaitKillable;
    else
      return fail(Code::InvalidArgument, "unknown seccomp flag \"{}\"", name);
  }
  return flags;
}

bool needs_listener(const oci::Seccomp& seccomp) {
  return std::any_of(seccomp.syscalls.begin(), seccomp.syscalls.end(),
                     [](const oci::SeccompRule& rule) { return rule.action == "SCMP_ACT_NOTIFY"; });
}

Result<void> check_notify(const oci::Seccomp& seccomp) {
  if (seccomp.default_action == "SCMP_ACT_NOTIFY")
    return fail(Code::InvalidArgument, "SCMP_ACT_NOTIFY cannot be used as default action");
  // The number of the listener is told by write(2) when the filter is already there.
  for (const auto& rule : seccomp.syscalls)
    if (rule.action == "SCMP_ACT_NOTIFY" &&
        std::find(rule.names.begin(), rule.names.end(), "write") != rule.names.end())
      return fail(Code::InvalidArgument, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
  return {};
}

Result<unsigned> section_flags(const oci::Seccomp& seccomp, bool listener) {
  unsigned flags = TRY(seccomp_flags(seccomp.flags));
  if ((flags & sys::seccomp_flag::kWaitKillable) && !listener)
    return fail(Code::InvalidArgument, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY");
  if (!listener) return flags;
  flags |= sys::seccomp_flag::kNewListener;
  // Both of them answer with a number; the kernel wants to be told which one is meant.
  if (flags & sys::seccomp_flag::kTsync) flags |= sys::seccomp_flag::kTsyncEsrch;
  return flags;
}

}  // namespace internal

Result<SeccompProgram> internal::compile_plainly(const oci::Seccomp& seccomp) {
  TRY(internal::check_notify(seccomp));
  uint32_t default_action = TRY(internal::action(seccomp.default_action, seccomp.default_errno_ret));
  internal::Filter filter(seccomp_init(default_action));
  if (!filter) return fail(Code::ResourceExhausted, "seccomp_init: out of memory");
  std::vector<uint32_t> tokens = {seccomp_arch_native()};
  for (const auto& name : seccomp.architectures) {
    uint32_t token = TRY(internal::architecture(name));
    if (token == 0 || std::find(tokens.begin(), tokens.end(), token) != tokens.end()) continue;
    int result = seccomp_arch_add(filter.get(), token);
    if (result < 0 && result != -EEXIST) return internal::library_error("seccomp_arch_add", name, result);
    tokens.push_back(token);
  }
  for (const auto& rule : seccomp.syscalls) TRY(internal::add_rule(filter.get(), rule, default_action));
  auto program = internal::newer_calls_stub(seccomp, default_action, tokens);
  auto rules = TRY(internal::export_program(filter.get()));
  program.insert(program.end(), rules.begin(), rules.end());
  return program;
}

Result<SeccompProgram> compile_seccomp(const oci::Seccomp& seccomp) {
  return internal::compact_filter(TRY(internal::compile_plainly(seccomp)));
}

}  // namespace sampan::runtime
