#include "cgroup/internal/hierarchies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sampan::cgroup::internal {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Hierarchies, controllers_are_told_from_options_and_paths_are_unescaped) {
  auto host = parse_hierarchies(
      "30 25 0:26 / /sys/fs/cgroup\\040a/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
      "31 25 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/bin/x,name=systemd\n"
      "32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
      "33 25 0:29 / /elsewhere rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(host.v2_root, "/sys/fs/cgroup/unified");
  EXPECT_THAT(host.v1_roots,
              ElementsAre(Pair("cpu", "/sys/fs/cgroup a/cpu,cpuacct"), Pair("cpuacct", "/sys/fs/cgroup a/cpu,cpuacct"),
                          Pair("name=systemd", "/sys/fs/cgroup/systemd")));
}

TEST(Hierarchies, lines_that_are_cut_are_no_mounts) {
  auto host = parse_hierarchies("30 25 0:26 / /a rw - cgroup2\n - \n30 25 0:26 - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(host.v2_root, "");
  EXPECT_TRUE(host.v1_roots.empty());
}

TEST(Hierarchies, relative_paths_start_beside_the_own_group_where_version_2_is_alone) {
  EXPECT_EQ(parent_of_own("0::/user.slice/user-7.slice/a.scope\n"), "/user.slice/user-7.slice");
  EXPECT_EQ(parent_of_own("0::/a.scope\n"), "");
  EXPECT_EQ(parent_of_own("0::/\n"), "");
  EXPECT_EQ(parent_of_own("0::/../a/b\n"), "");
  EXPECT_EQ(parent_of_own("3:cpu:/a/b\n0::/a/b\n"), "");
  EXPECT_EQ(parent_of_own(""), "");
}

}  // namespace
}  // namespace sampan::cgroup::internal
