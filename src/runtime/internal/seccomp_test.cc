#include "runtime/internal/seccomp.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cerrno>

#include "codec/json.h"
#include "runtime/internal/bpf_program.h"
#include "sys/file.h"

namespace sampan::runtime::internal {
namespace {

constexpr uint32_t kX32 = 0x40000000;

oci::Seccomp docker_profile() {
  auto text = sys::read_file(SAMPAN_SOURCE_DIR "/tests/golden/seccomp/default/expected.json");
  EXPECT_TRUE(text);
  auto seccomp = codec::from_json<oci::Seccomp>(text ? *text : "{}");
  EXPECT_TRUE(seccomp);
  return seccomp ? *seccomp : oci::Seccomp{};
}

uint32_t answer(const SeccompProgram& program, CallData call) {
  auto result = run_filter(program, call);
  EXPECT_TRUE(result) << "the program gives no answer";
  return result.value_or(0);
}
uint32_t answer(const SeccompProgram& program, long number, uint64_t arg0 = 0) {
  return answer(program, {static_cast<uint32_t>(number), AUDIT_ARCH_X86_64, 0, {arg0}});
}

TEST(Seccomp, dockers_profile_answers_as_dockers) {
  auto program = compile_seccomp(docker_profile());
  ASSERT_TRUE(program) << program.error().message();
  EXPECT_EQ(answer(*program, SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, SYS_mount), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(answer(*program, SYS_keyctl), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(answer(*program, SYS_clone3), SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(answer(*program, SYS_clone, 0x11), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, SYS_clone, 0x10000011), SECCOMP_RET_ERRNO | EPERM) << "CLONE_NEWUSER";
  EXPECT_EQ(answer(*program, SYS_personality, 0xffffffff), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, SYS_personality, 1), SECCOMP_RET_ERRNO | EPERM);
  EXPECT_EQ(answer(*program, SYS_socket, 2), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, SYS_socket, 40), SECCOMP_RET_ERRNO | EPERM) << "AF_VSOCK";
}

TEST(Seccomp, calls_newer_than_the_profile_are_not_there) {
  auto program = compile_seccomp(docker_profile());
  ASSERT_TRUE(program);
  EXPECT_EQ(answer(*program, 5000), SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(answer(*program, {5000, AUDIT_ARCH_I386, 0, {}}), SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(answer(*program, {kX32 | 5000, AUDIT_ARCH_X86_64, 0, {}}), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(Seccomp, a_foreign_architecture_kills) {
  auto program = compile_seccomp(docker_profile());
  ASSERT_TRUE(program);
  EXPECT_EQ(answer(*program, {SYS_read, AUDIT_ARCH_ARM, 0, {}}), SECCOMP_RET_KILL_THREAD);
}

/// Every number of every architecture, and every argument value that a rule compares with, and their neighbours.
TEST(Seccomp, compacting_changes_no_answer) {
  auto profile = docker_profile();
  auto plain = compile_plainly(profile);
  ASSERT_TRUE(plain);
  auto compact = compact_filter(*plain);
  EXPECT_LT(compact.size(), plain->size() * 2 / 3);
  std::vector<uint64_t> values = {0, 1, UINT32_MAX, UINT64_MAX};
  for (const auto& rule : profile.syscalls)
    for (const auto& arg : rule.args)
      for (uint64_t value : {arg.value, arg.value_two})
        values.insert(values.end(), {value - 1, value, value + 1, value | 1ULL << 40, ~value});
  for (uint32_t arch :
       {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_AARCH64}, uint32_t{0}})
    for (uint32_t base : {0U, kX32, 0x80000000U, 0xfffffc00U})
      for (uint32_t number = base; number - base < 1024; ++number)
        for (uint64_t value : values)
          for (size_t index : {0, 1}) {
            CallData call{number, arch, 0, {}};
            call.args[index] = value;
            ASSERT_EQ(run_filter(compact, call), run_filter(*plain, call)) << arch << " " << number << " " << value;
          }
}

TEST(Seccomp, a_program_that_is_not_understood_stays_as_it_is) {
  SeccompProgram odd = {bpf(bpf_code::kLoad, 0, 0, 0), bpf(0x07, 0, 0, 0), bpf(bpf_code::kReturn, 0, 0, 0)};
  EXPECT_EQ(compact_filter(odd), odd);
  SeccompProgram masked = {bpf(bpf_code::kLoad, 0, 0, 0), bpf(bpf_code::kAnd, 0, 0, 0xff),
                           bpf(bpf_code::kJumpEqual, 0, 1, 3), bpf(bpf_code::kReturn, 0, 0, 1),
                           bpf(bpf_code::kReturn, 0, 0, 2)};
  EXPECT_EQ(compact_filter(masked), masked);
  SeccompProgram leads_out = {bpf(bpf_code::kJump, 0, 0, 5), bpf(bpf_code::kReturn, 0, 0, 0)};
  EXPECT_EQ(compact_filter(leads_out), leads_out);
  SeccompProgram ordered = {bpf(bpf_code::kLoad, 0, 0, 4), bpf(bpf_code::kJumpAtLeast, 0, 1, 5),
                            bpf(bpf_code::kReturn, 0, 0, 1), bpf(bpf_code::kReturn, 0, 0, 2)};
  EXPECT_EQ(compact_filter(ordered), ordered) << "architectures have no order";
}

TEST(Seccomp, alternatives_on_one_argument_are_alternatives) {
  oci::Seccomp seccomp;
  seccomp.default_action = "SCMP_ACT_ERRNO";
  seccomp.syscalls = {{{"personality"}, "SCMP_ACT_ALLOW", {}, {{0, 1, 0, "SCMP_CMP_EQ"}, {0, 7, 0, "SCMP_CMP_EQ"}}}};
  auto program = compile_seccomp(seccomp);
  ASSERT_TRUE(program);
  EXPECT_EQ(answer(*program, SYS_personality, 1), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, SYS_personality, 7), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(*program, SYS_personality, 2), SECCOMP_RET_ERRNO | EPERM);
}

TEST(Seccomp, what_cannot_be_meant_is_refused) {
  oci::Seccomp seccomp;
  seccomp.default_action = "SCMP_ACT_MAYBE";
  EXPECT_EQ(compile_seccomp(seccomp).error().code(), Code::InvalidArgument);
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.syscalls = {{{"read"}, "SCMP_ACT_KILL", {}, {{0, 1, 0, "SCMP_CMP_SOMEHOW"}}}};
  EXPECT_EQ(compile_seccomp(seccomp).error().code(), Code::InvalidArgument);
  seccomp.syscalls = {{{"no_such_call"}, "SCMP_ACT_KILL", {}, {}}};
  EXPECT_TRUE(compile_seccomp(seccomp)) << "unknown calls are skipped";
  EXPECT_FALSE(seccomp_flags({"SECCOMP_FILTER_FLAG_ODD"}));
}

}  // namespace
}  // namespace sampan::runtime::internal
