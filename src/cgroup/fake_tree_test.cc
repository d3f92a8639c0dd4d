// The files that are written on hosts other than this one: version 2 and version 1 trees of plain files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cgroup/cgroup.h"
#include "cgroup/internal/files.h"
#include "sys/file.h"

namespace sampan::cgroup {
namespace {

using testing::HasSubstr;

class FakeTree : public testing::Test {
 protected:
  void SetUp() override {
    char root[] = "/tmp/cgroup.tree.XXXXXX";
    ASSERT_TRUE(::mkdtemp(root));
    root_ = root;
    ASSERT_TRUE(sys::make_dirs(root_ + "/c"));
  }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree(root_)); }
  void put(const std::string& file, const std::string& text = "") {
    ASSERT_TRUE(sys::replace_file(root_ + "/c/" + file, text, 0600, sys::Durable::No));
  }
  std::string get(const char* file) { return internal::read_text(root_ + "/c", file); }
  HostCgroups v2() {
    HostCgroups host;
    host.version = Version::V2;
    host.v2_root = root_;
    host.v2_controllers = {"cpu", "io", "memory", "pids", "hugetlb", "rdma", "misc"};
    return host;
  }
  HostCgroups v1(const char* controller) {
    HostCgroups host;
    host.v1_roots[controller] = root_;
    return host;
  }
  Result<void> apply(const HostCgroups& host, const oci::Resources& resources) {
    auto made = Cgroup::create(host, "/c", resources, warnings_);
    return made ? Result<void>() : Result<void>(std::move(made).error());
  }
  std::string root_;
  std::vector<std::string> warnings_;
};

TEST_F(FakeTree, memory_and_swap_of_one_size_is_no_swap) {
  put("memory.max");
  put("memory.swap.max");
  put("memory.low");
  oci::Resources resources;
  resources.memory.emplace().limit = 1 << 20;
  resources.memory->swap = 1 << 20;
  resources.memory->reservation = 4096;
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_EQ(get("memory.swap.max"), "0");
  EXPECT_EQ(get("memory.max"), "1048576");
  EXPECT_EQ(get("memory.low"), "4096");
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(FakeTree, a_limit_below_the_usage_is_refused_when_asked_to_check) {
  put("memory.max", "max");
  put("memory.current", "5000\n");
  oci::Resources resources;
  resources.memory.emplace().limit = 4096;
  resources.memory->check_before_update = true;
  auto refused = apply(v2(), resources);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("rejecting memory limit 4096 <= usage 5000"));
}

TEST_F(FakeTree, a_new_period_keeps_the_quota_and_burst_needs_a_kernel) {
  put("cpu.max", "50000 100000\n");
  oci::Resources resources;
  resources.cpu.emplace().period = 200000;
  resources.cpu->burst = 1000;
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_THAT(get("cpu.max"), HasSubstr("50000 200000"));
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_THAT(warnings_[0], HasSubstr("burst"));
  put("cpu.max.burst");
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_EQ(get("cpu.max.burst"), "1000");
}

TEST_F(FakeTree, weights_of_devices_go_where_the_kernel_has_them) {
  put("io.weight", "default 100\n");
  oci::Resources resources;
  resources.block_io.emplace().weight_device = {{8, 0, 1000, {}}};
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_THAT(get("io.weight"), HasSubstr("8:0 10000"));
  put("io.bfq.weight", "default 100\n");
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_THAT(get("io.bfq.weight"), HasSubstr("8:0 1000"));
  put("io.bfq.weight", "100\n");
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_EQ(get("io.bfq.weight"), "100") << "before 5.4 there was one number for all";
}

TEST_F(FakeTree, huge_pages_and_their_reservations) {
  put("hugetlb.2MB.max");
  put("hugetlb.2MB.rsvd.max");
  put("hugetlb.1GB.max");
  oci::Resources resources;
  resources.hugepage_limits = {{"2MB", 4 << 20}, {"1GB", 0}};
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_EQ(get("hugetlb.2MB.max"), "4194304");
  EXPECT_EQ(get("hugetlb.2MB.rsvd.max"), "4194304");
  EXPECT_EQ(get("hugetlb.1GB.max"), "0");
}

TEST_F(FakeTree, the_unified_map_is_written_and_what_is_missing_is_named) {
  put("cgroup.controllers", "memory misc\n");
  put("misc.max");
  oci::Resources resources;
  resources.unified["misc.max"] = "res_a 5\n";
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_EQ(get("misc.max"), "res_a 5");
  auto error = [&](const char* file) {
    oci::Resources one;
    one.unified[file] = "1";
    auto applied = apply(v2(), one);
    return applied ? std::string() : applied.error().message();
  };
  EXPECT_THAT(error("pids.max"), HasSubstr("controller \"pids\" not available"));
  EXPECT_THAT(error("memory.nothing"), HasSubstr("unable to set unified resource \"memory.nothing\""));
  EXPECT_THAT(error("nothing"), HasSubstr("CONTROLLER.PARAMETER"));
  EXPECT_THAT(error("../c/x.y"), HasSubstr("no slashes"));
  EXPECT_THAT(apply(v1("pids"), resources).error().message(), HasSubstr("cannot use unified on cgroup v1"));
}

TEST_F(FakeTree, a_controller_that_no_parent_gives_is_an_error) {
  put("cgroup.controllers", "cpu\n");
  oci::Resources resources;
  resources.pids = oci::PidsLimit{5};
  auto refused = apply(v2(), resources);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("controller \"pids\" is not available"));
}

TEST_F(FakeTree, among_threads_only_what_threads_can_have) {
  put("cgroup.type", "domain invalid\n");
  put("pids.max");
  put("memory.max");
  oci::Resources resources;
  resources.memory.emplace().limit = 4096;
  auto refused = apply(v2(), resources);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("it is in an invalid state"));
  resources.memory.reset();
  resources.pids = oci::PidsLimit{5};
  ASSERT_TRUE(apply(v2(), resources));
  EXPECT_THAT(get("cgroup.type"), HasSubstr("threaded"));
  EXPECT_EQ(get("pids.max"), "5");
}

TEST_F(FakeTree, controllers_are_given_down_the_path) {
  ASSERT_TRUE(sys::replace_file(root_ + "/cgroup.controllers", "pids\n", 0600, sys::Durable::No));
  ASSERT_TRUE(sys::replace_file(root_ + "/cgroup.subtree_control", "", 0600, sys::Durable::No));
  put("cgroup.controllers", "pids\n");
  put("cgroup.subtree_control", "");
  auto host = v2();
  ASSERT_TRUE(Cgroup::create(host, "/c/below", {}, warnings_));
  EXPECT_EQ(internal::read_text(root_, "cgroup.subtree_control"), "+pids");
  EXPECT_EQ(get("cgroup.subtree_control"), "+pids");
}

TEST_F(FakeTree, version_1_ignores_kernel_memory_and_checks_swappiness) {
  for (const char* file : {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.swappiness",
                           "memory.oom_control", "memory.soft_limit_in_bytes", "memory.kmem.tcp.limit_in_bytes"})
    put(file);
  oci::Resources resources;
  auto& memory = resources.memory.emplace();
  memory.limit = -1;
  memory.kernel_tcp = 4096;
  memory.swappiness = static_cast<uint64_t>(-1);
  memory.disable_oom_killer = true;
  ASSERT_TRUE(apply(v1("memory"), resources));
  EXPECT_EQ(get("memory.memsw.limit_in_bytes"), "-1") << "no limit on memory is none on memory and swap";
  EXPECT_EQ(get("memory.kmem.tcp.limit_in_bytes"), "");
  EXPECT_EQ(get("memory.swappiness"), "");
  EXPECT_EQ(get("memory.oom_control"), "1");
  EXPECT_EQ(warnings_.size(), 1U);
  memory.swappiness = 101;
  EXPECT_THAT(apply(v1("memory"), resources).error().message(), HasSubstr("valid range is 0-100"));
}

}  // namespace
}  // namespace sampan::cgroup
