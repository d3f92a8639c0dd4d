#include "cgroup/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"
#include "sys/file.h"

namespace sampan::cgroup {
namespace {

using testing::HasSubstr;

TEST(Conversion, cpu_shares_keep_both_ends_and_the_default) {
  EXPECT_EQ(cpu_weight_of_shares(0), 0U);
  EXPECT_EQ(cpu_weight_of_shares(2), 1U);
  EXPECT_EQ(cpu_weight_of_shares(1024), 100U);
  EXPECT_EQ(cpu_weight_of_shares(262144), 10000U);
  EXPECT_EQ(cpu_weight_of_shares(1'000'000), 10000U);
  EXPECT_LT(cpu_weight_of_shares(512), cpu_weight_of_shares(1024));
}

TEST(Conversion, io_weight_spans_the_whole_range) {
  EXPECT_EQ(io_weight_of_blkio(0), 0U);
  EXPECT_EQ(io_weight_of_blkio(10), 1U);
  EXPECT_EQ(io_weight_of_blkio(1000), 10000U);
}

TEST(Conversion, swap_is_what_memory_swap_has_above_memory) {
  EXPECT_EQ(*swap_of_memory_swap(300, 100), 200);
  EXPECT_EQ(*swap_of_memory_swap(-1, 100), -1);
  EXPECT_EQ(*swap_of_memory_swap(0, 100), 0);
  EXPECT_EQ(*swap_of_memory_swap(0, -1), -1);
  EXPECT_EQ(swap_of_memory_swap(50, 100).error().code(), Code::InvalidArgument);
  EXPECT_EQ(swap_of_memory_swap(50, 0).error().code(), Code::InvalidArgument);
}

TEST(DeviceRule, is_written_as_the_kernel_reads_it) {
  EXPECT_EQ(internal::format_device_rule({false, "a", {}, {}, "rwm"}), "a");
  EXPECT_EQ(internal::format_device_rule({true, "", {}, {}, ""}), "a");
  EXPECT_EQ(internal::format_device_rule({true, "c", 1, 3, "rwm"}), "c 1:3 rwm");
  EXPECT_EQ(internal::format_device_rule({true, "c", 136, {}, "rw"}), "c 136:* rw");
  EXPECT_EQ(internal::format_device_rule({true, "b", -1, -1, "m"}), "b *:* m");
}

/// Runs a device program as the kernel would. Only the instructions that the compiler emits.
bool admits(const std::vector<uint64_t>& program, uint32_t type, uint32_t access, uint32_t major, uint32_t minor) {
  const uint32_t context[] = {type | access << 16, major, minor};
  uint32_t reg[11] = {};
  for (size_t pc = 0; pc < program.size(); ++pc) {
    uint64_t op = program[pc];
    uint8_t code = op & 0xff, dst = op >> 8 & 0xf, src = op >> 12 & 0xf;
    auto offset = static_cast<int16_t>(op >> 16 & 0xffff);
    auto imm = static_cast<uint32_t>(op >> 32);
    switch (code) {
      case 0x61:
        reg[dst] = context[offset / 4];
        break;
      case 0xbc:
        reg[dst] = reg[src];
        break;
      case 0xb4:
        reg[dst] = imm;
        break;
      case 0x54:
        reg[dst] &= imm;
        break;
      case 0x74:
        reg[dst] >>= imm;
        break;
      case 0x56:
        if (reg[dst] != imm) pc += static_cast<size_t>(offset);
        break;
      case 0x5e:
        if (reg[dst] != reg[src]) pc += static_cast<size_t>(offset);
        break;
      case 0x16:
        if (reg[dst] == imm) pc += static_cast<size_t>(offset);
        break;
      case 0x95:
        return reg[0] != 0;
      default:
        ADD_FAILURE() << "unknown instruction " << int{code};
        return false;
    }
  }
  ADD_FAILURE() << "the program runs off its end";
  return false;
}
constexpr uint32_t kBlock = 1, kChar = 2, kMknod = 1, kRead = 2, kWrite = 4;

TEST(DeviceProgram, the_last_matching_rule_decides) {
  auto program = internal::compile_device_program({{false, "a", {}, {}, "rwm"},
                                                   {true, "c", 1, 3, "rwm"},
                                                   {true, "c", {}, {}, "m"},
                                                   {true, "c", 136, {}, "rw"},
                                                   {false, "c", 136, 7, "rwm"}});
  EXPECT_TRUE(admits(program, kChar, kRead | kWrite, 1, 3));
  EXPECT_TRUE(admits(program, kChar, kMknod, 8, 0));
  EXPECT_FALSE(admits(program, kChar, kRead, 8, 0));
  EXPECT_FALSE(admits(program, kBlock, kRead, 1, 3));
  EXPECT_FALSE(admits(program, kBlock, kMknod, 8, 0));
  EXPECT_TRUE(admits(program, kChar, kRead, 136, 3));
  EXPECT_FALSE(admits(program, kChar, kRead, 136, 7));
  EXPECT_FALSE(admits(program, kChar, kRead | kMknod, 136, 3)) << "all that is wanted must be allowed by one rule";
}

TEST(DeviceProgram, no_rule_admits_nothing_and_a_wildcard_everything) {
  EXPECT_FALSE(admits(internal::compile_device_program({}), kChar, kRead, 1, 3));
  auto open = internal::compile_device_program({{false, "a", {}, {}, "rwm"}, {true, "a", {}, {}, "rwm"}});
  EXPECT_TRUE(admits(open, kBlock, kRead | kWrite | kMknod, 8, 0));
}

TEST(Blkio, totals_are_left_out) {
  auto entries = internal::parse_blkio("8:0 Read 4096\n8:0 Write 12\nTotal 4108\n");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].op, "Write");
  EXPECT_EQ(entries[1].value, 12U);
}

class RealCgroup : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    auto host = detect_host();
    ASSERT_TRUE(host) << host.error().message();
    host_ = std::move(*host);
    path_ = fmt::format("/sampan-cgroup-test-{}", ::getpid());
  }
  void TearDown() override {
    if (!path_.empty()) EXPECT_TRUE(Cgroup::open(host_, path_).remove());
    for (const auto& root : host_.unique_v1_roots()) EXPECT_FALSE(sys::path_exists(root + path_));
  }
  /// A sleeping child inside.
  pid_t enter(const Cgroup& cgroup) {
    auto files = cgroup.join_fds();
    EXPECT_TRUE(files);
    pid_t pid = ::fork();
    if (pid != 0) return pid;
    for (const auto& file : *files)
      if (!sys::write_all(file.get(), "0")) ::_exit(1);
    if (::write(ready_[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  std::string value(const char* controller, const std::string& file) {
    auto root = host_.v1_roots.find(controller);
    return internal::read_text((root == host_.v1_roots.end() ? host_.v2_root : root->second) + path_, file);
  }
  HostCgroups host_;
  std::string path_;
  std::vector<std::string> warnings_;
  int ready_[2] = {-1, -1};
};

TEST_F(RealCgroup, limits_are_in_the_files_and_can_be_updated) {
  oci::Resources resources;
  resources.memory.emplace().limit = 64 << 20;
  resources.pids = oci::PidsLimit{33};
  auto cgroup = Cgroup::create(host_, path_, resources, warnings_);
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  EXPECT_EQ(value("memory", host_.v1_roots.contains("memory") ? "memory.limit_in_bytes" : "memory.max"), "67108864");
  EXPECT_EQ(value("pids", "pids.max"), "33");
  resources.pids = oci::PidsLimit{-1};
  resources.memory->limit = 32 << 20;
  ASSERT_TRUE(cgroup->update(resources));
  EXPECT_EQ(value("pids", "pids.max"), "max");
  auto stats = cgroup->stats();
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->memory_limit, 32U << 20);
  EXPECT_EQ(stats->pids_limit, 0U);
}

TEST_F(RealCgroup, an_impossible_limit_leaves_nothing) {
  oci::Resources resources;
  resources.cpu.emplace().cpus = "4000";
  auto cgroup = Cgroup::create(host_, path_, resources, warnings_);
  ASSERT_FALSE(cgroup);
  EXPECT_THAT(cgroup.error().message(), HasSubstr("cpuset"));
  for (const auto& root : host_.unique_v1_roots()) EXPECT_FALSE(sys::path_exists(root + path_));
}

TEST_F(RealCgroup, a_path_that_climbs_is_refused) {
  for (const char* bad : {"", "/", "x", "/a/../b", "/a//b", "/a/", "/."})
    EXPECT_FALSE(Cgroup::create(host_, bad, {}, warnings_)) << bad;
}

TEST_F(RealCgroup, leftovers_of_an_earlier_run_are_adopted) {
  ASSERT_TRUE(Cgroup::create(host_, path_, {}, warnings_));
  EXPECT_TRUE(Cgroup::create(host_, path_, {}, warnings_));
}

TEST_F(RealCgroup, processes_are_seen_frozen_and_killed) {
  auto cgroup = Cgroup::create(host_, path_, {}, warnings_);
  ASSERT_TRUE(cgroup);
  ASSERT_EQ(::pipe(ready_), 0);
  pid_t pid = enter(*cgroup);
  char byte;
  ASSERT_EQ(::read(ready_[0], &byte, 1), 1);
  EXPECT_THAT(*cgroup->processes(), testing::ElementsAre(pid));
  ASSERT_TRUE(cgroup->freeze());
  EXPECT_TRUE(*cgroup->is_frozen());
  ASSERT_TRUE(cgroup->thaw());
  EXPECT_FALSE(*cgroup->is_frozen());
  EXPECT_EQ(cgroup->remove(std::chrono::milliseconds(1)).error().errno_value(), EBUSY);
  ASSERT_TRUE(cgroup->kill_all());
  int status;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ::close(ready_[0]);
  ::close(ready_[1]);
}

TEST_F(RealCgroup, device_rules_bind) {
  oci::Resources resources;
  resources.devices = {{false, "a", {}, {}, "rwm"}, {true, "c", 1, 3, "rwm"}};
  auto cgroup = Cgroup::create(host_, path_, resources, warnings_);
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  auto files = cgroup->join_fds();
  pid_t pid = ::fork();
  if (pid == 0) {
    for (const auto& file : *files)
      if (!sys::write_all(file.get(), "0")) ::_exit(9);
    bool null = sys::open_file("/dev/null", 0).has_value(), zero = sys::open_file("/dev/zero", 0).has_value();
    ::_exit((null ? 1 : 0) + (zero ? 2 : 0));
  }
  int status;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 1) << "the null device and no other";
}

TEST_F(RealCgroup, a_device_program_loads_and_an_update_replaces_it) {
  if (host_.v2_root.empty()) GTEST_SKIP() << "no unified hierarchy";
  HostCgroups unified;  // the same host, seen as if it had nothing else
  unified.version = Version::V2;
  unified.v2_root = host_.v2_root;
  oci::Resources resources;
  resources.devices = {{false, "a", {}, {}, "rwm"}, {true, "c", 1, 3, "rwm"}};
  auto cgroup = Cgroup::create(unified, path_, resources, warnings_);
  ASSERT_TRUE(cgroup) << cgroup.error().message();
  resources.devices.push_back({true, "c", 1, 5, "r"});
  ASSERT_TRUE(cgroup->update(resources));
  auto files = cgroup->join_fds();
  pid_t pid = ::fork();
  if (pid == 0) {
    for (const auto& file : *files)
      if (!sys::write_all(file.get(), "0")) ::_exit(9);
    bool zero = sys::open_file("/dev/zero", O_RDONLY).has_value(),
         full = sys::open_file("/dev/full", O_RDONLY).has_value();
    ::_exit((zero ? 1 : 0) + (full ? 2 : 0));
  }
  int status;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

}  // namespace
}  // namespace sampan::cgroup
