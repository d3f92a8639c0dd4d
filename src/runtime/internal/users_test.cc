#include "runtime/internal/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sampan::runtime::internal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n# comment\n\napp:x:1000:1001:App:/home/app:/bin/sh\n"
    "4294967296:x:0:0::/:/bin/sh\n77:x:0:0::/evil:/bin/sh\nbroken:x:notanumber:5\nlast:x:8:9::/l";
constexpr const char* kGroup = "root:x:0:\nadm:x:4:app,last\nextra:x:2000: app \n55:x:0:app\nwheel:x:10:";

Identity resolve(std::string user, std::vector<std::string> add = {}) {
  auto identity = resolve_user({std::move(user), std::move(add)}, kPasswd, kGroup);
  EXPECT_TRUE(identity) << identity.error().message();
  return identity ? *identity : Identity{};
}
std::string refusal(std::string user, std::vector<std::string> add = {}) {
  auto identity = resolve_user({std::move(user), std::move(add)}, kPasswd, kGroup);
  EXPECT_FALSE(identity);
  return identity ? "" : identity.error().message();
}

TEST(Users, a_name_brings_its_group_its_groups_and_its_home) {
  auto app = resolve("app");
  EXPECT_EQ(app.uid, 1000U);
  EXPECT_EQ(app.gid, 1001U);
  EXPECT_EQ(app.home, "/home/app");
  EXPECT_THAT(app.groups, ElementsAre(0, 4, 1001, 2000));
}

TEST(Users, digits_are_never_a_name) {
  auto number = resolve("77");
  EXPECT_EQ(number.uid, 77U) << "not the uid 0 of the user whose name is 77";
  EXPECT_EQ(number.gid, 0U);
  EXPECT_EQ(number.home, "/");
  EXPECT_EQ(resolve("app:55").gid, 55U);
}

TEST(Users, numbers_out_of_range_are_refused_and_not_wrapped) {
  EXPECT_THAT(refusal("4294967296"), HasSubstr("must be in range"));
  EXPECT_THAT(refusal("4294967295"), HasSubstr("must be in range"));
  EXPECT_THAT(refusal("99999999999999999999999"), HasSubstr("must be in range"));
  EXPECT_THAT(refusal("0:4294967296"), HasSubstr("must be in range"));
  EXPECT_EQ(resolve("4294967294").uid, 4294967294U);
}

TEST(Users, a_number_with_an_entry_brings_its_group) {
  auto app = resolve("1000");
  EXPECT_EQ(app.gid, 1001U);
  EXPECT_THAT(app.groups, ElementsAre(0, 4, 1001, 2000));
}

TEST(Users, an_explicit_group_replaces_the_groups_of_the_image) {
  auto app = resolve("app:wheel");
  EXPECT_EQ(app.gid, 10U);
  EXPECT_THAT(app.groups, ElementsAre(10)) << "the primary group is always among the supplementary ones";
  EXPECT_THAT(resolve("1000:1000").groups, ElementsAre(1000));
  EXPECT_EQ(resolve(":wheel").uid, 0U);
}

TEST(Users, what_does_not_exist_has_dockers_words) {
  EXPECT_EQ(refusal("ghost"), "unable to find user ghost: no matching entries in passwd file");
  EXPECT_EQ(refusal("app:ghosts"), "unable to find group ghosts: no matching entries in group file");
  EXPECT_EQ(refusal("app", {"ghosts"}), "Unable to find group ghosts");
  EXPECT_EQ(refusal("broken"), "unable to find user broken: no matching entries in passwd file");
}

TEST(Users, added_groups_are_names_or_numbers) {
  EXPECT_THAT(resolve("last", {"wheel", "777", "adm"}).groups, ElementsAre(4, 9, 10, 777));
}

TEST(Users, an_empty_image_knows_numbers_only) {
  auto identity = resolve_user({"5:6", {}}, "", "");
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->uid, 5U);
  EXPECT_EQ(identity->gid, 6U);
  EXPECT_FALSE(resolve_user({"root", {}}, "", ""));
  EXPECT_EQ(home_of(8, kPasswd), "/l");
  EXPECT_EQ(home_of(12345, kPasswd), std::nullopt);
}

}  // namespace
}  // namespace sampan::runtime::internal
