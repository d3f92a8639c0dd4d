// Mount options, kernel parameter names, device rules, mappings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/internal/devices.h"
#include "runtime/internal/idmap.h"
#include "runtime/internal/mount_options.h"
#include "runtime/internal/sysctl.h"
#include "sys/mount.h"
#include "sys/process.h"

namespace sampan::runtime::internal {
namespace {

namespace attr = sys::attr;
using testing::ElementsAre;
using testing::Pair;

TEST(MountOptions, attributes_and_filesystem_options_are_told_apart) {
  auto out = parse_mount_options({"nosuid", "strictatime", "mode=755", "size=65536k", "newinstance"});
  EXPECT_EQ(out.set, attr::kNoSuid | attr::kStrictAtime);
  EXPECT_EQ(out.clear, attr::kAtimeMask);
  EXPECT_THAT(out.values, ElementsAre(Pair("mode", "755"), Pair("size", "65536k")));
  EXPECT_THAT(out.flags, ElementsAre("newinstance"));
}

TEST(MountOptions, the_later_of_two_opposites_wins) {
  auto out = parse_mount_options({"ro", "rw", "noexec", "exec", "nodev"});
  EXPECT_EQ(out.set, attr::kNoDev);
  EXPECT_EQ(out.clear, attr::kReadOnly | attr::kNoExec);
  EXPECT_FALSE(out.read_only());
}

TEST(MountOptions, an_r_makes_an_attribute_recursive_but_ro_and_relatime_are_names) {
  auto out = parse_mount_options({"rro", "relatime", "rnosuid"});
  EXPECT_EQ(out.recursive_set, attr::kReadOnly | attr::kNoSuid);
  EXPECT_EQ(out.set, 0U);
  EXPECT_TRUE(out.read_only());
  EXPECT_TRUE(parse_mount_options({"ro"}).read_only());
}

TEST(MountOptions, binds_and_propagation) {
  auto out = parse_mount_options({"rbind", "rprivate", "slave"});
  EXPECT_TRUE(out.bind && out.recursive);
  EXPECT_EQ(out.propagation, sys::propagation::kSlave);
  EXPECT_EQ(out.recursive_propagation, 0U) << "the later one wins";
  EXPECT_TRUE(is_bind({"/x", "bind", "/y", {}, {}, {}}, parse_mount_options({})));
}

TEST(MountOptions, a_value_keeps_its_equals_signs) {
  EXPECT_THAT(parse_mount_options({"lowerdir+=/a=b"}).values, ElementsAre(Pair("lowerdir+", "/a=b")));
}

TEST(Sysctl, names_become_paths_and_nothing_climbs) {
  EXPECT_EQ(*path_of_sysctl("net.ipv4.ip_forward"), "sys/net/ipv4/ip_forward");
  EXPECT_EQ(*path_of_sysctl("net.ipv4.conf.eth0/1.forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
  EXPECT_EQ(*path_of_sysctl("net/ipv4/conf/eth0.1/forwarding"), "sys/net/ipv4/conf/eth0.1/forwarding");
  for (const char* bad : {"", "net/../kernel/panic", "net/..", "a b", "net.ipv4+x", "a\nb", "net//x", "a=b"})
    EXPECT_FALSE(path_of_sysctl(bad)) << bad;
}

TEST(Sysctl, each_belongs_to_a_namespace_or_to_the_machine) {
  EXPECT_EQ(namespace_of_sysctl("net.core.somaxconn"), sys::ns::kNet);
  EXPECT_EQ(namespace_of_sysctl("kernel.shmmax"), sys::ns::kIpc);
  EXPECT_EQ(namespace_of_sysctl("fs.mqueue.msg_max"), sys::ns::kIpc);
  EXPECT_EQ(namespace_of_sysctl("kernel.panic"), 0U);
  EXPECT_EQ(namespace_of_sysctl("network.x"), 0U);
  EXPECT_EQ(namespace_of_sysctl("vm.overcommit_memory"), 0U);
}

TEST(Devices, everything_is_refused_once_and_first) {
  auto rules = device_rules({{false, "", {}, {}, "rwm"}, {true, "c", 10, 200, "rwm"}});
  ASSERT_GE(rules.size(), 3U);
  EXPECT_FALSE(rules[0].allow);
  EXPECT_EQ(rules[1].minor, 200);
  for (size_t i = 1; i < rules.size(); ++i) EXPECT_TRUE(rules[i].allow);
  EXPECT_FALSE(device_rules({})[0].allow) << "no list is no permission";
}

TEST(Mappings, are_lines_as_the_kernel_reads_them) {
  EXPECT_EQ(format_mappings({{0, 100000, 65536}, {65536, 5, 1}}), "0 100000 65536\n65536 5 1\n");
}

}  // namespace
}  // namespace sampan::runtime::internal
