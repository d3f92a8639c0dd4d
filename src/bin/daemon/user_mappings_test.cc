#include "daemon/user_mappings.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "sys/file.h"
#include "sys/tree.h"

namespace sampan::daemon {
namespace {

class Remap : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sampan.remap.XXXXXX";
    dir_ = ::mkdtemp(name);
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  Result<oci::UserMappings> find(const std::string& remap, const std::string& users, const std::string& groups) {
    IdFiles files{dir_ + "/u", dir_ + "/g"};
    TRY(sys::replace_file(files.subuid, users, 0644, sys::Durable::No));
    TRY(sys::replace_file(files.subgid, groups, 0644, sys::Durable::No));
    return find_user_mappings(remap, files);
  }
  std::string refusal(const std::string& remap, const std::string& users = "", const std::string& groups = "") {
    auto found = find(remap, users, groups);
    return found ? "none" : found.error().message();
  }
  std::string dir_;
};

TEST_F(Remap, nobody_and_root_are_not_mapped) {
  EXPECT_TRUE(find("", "", "")->empty());
  EXPECT_TRUE(find("root", "", "")->empty());
  EXPECT_TRUE(find("0", "", "")->empty());
}

TEST_F(Remap, the_default_is_dockremap_with_or_without_an_account) {
  auto found = find("default", "dockremap:5000:10\n", "dockremap:6000:20\n");
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->uids[0].host_id, 5000u);
  EXPECT_EQ(found->gids[0].host_id, 6000u);
}

TEST_F(Remap, a_user_and_a_group_have_ranges_of_their_own) {
  auto found = find("daemon:bin", "daemon:5000:10\ndaemon:9000:5\n", "bin:6000:20\n");
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->uids.size(), 2u);
  EXPECT_EQ(found->uids[1].container_id, 10u);
  EXPECT_EQ(found->gids[0].host_id, 6000u);
}

TEST_F(Remap, what_is_missing_is_named) {
  EXPECT_THAT(refusal("default"), ::testing::HasSubstr("no subuid ranges found for user \"dockremap\""));
  EXPECT_THAT(refusal("default", "dockremap:1:2"), ::testing::HasSubstr("no subgid ranges found"));
  EXPECT_THAT(refusal("no-such-user"), ::testing::HasSubstr("error during uid lookup for \"no-such-user\""));
  EXPECT_THAT(refusal("3999999"), ::testing::HasSubstr("uid 3999999 has no entry in /etc/passwd"));
  EXPECT_THAT(refusal("daemon:3999999"), ::testing::HasSubstr("gid 3999999 has no entry in /etc/group"));
  for (const char* bad : {"a:b:c", ":", "daemon:", ":daemon"})
    EXPECT_THAT(refusal(bad), ::testing::HasSubstr("invalid user/group specification in --userns-remap")) << bad;
}

}  // namespace
}  // namespace sampan::daemon
