#include "oci/user_mappings.h"

#include <gmock/gmock.h>

namespace sampan::oci {
namespace {

const std::vector<IdMapping> kTwo = {{0, 100000, 1000}, {1000, 300000, 10}};

TEST(UserMappings, an_id_is_found_on_both_sides) {
  EXPECT_EQ(host_id(kTwo, 0), 100000u);
  EXPECT_EQ(host_id(kTwo, 1009), 300009u);
  EXPECT_EQ(host_id(kTwo, 1010), std::nullopt);
  EXPECT_EQ(inside_id(kTwo, 300001), 1001u);
  EXPECT_EQ(inside_id(kTwo, 0), std::nullopt);
}

TEST(UserMappings, ranges_of_a_user_follow_each_other) {
  auto ranges = parse_subordinate_ids("other:1:2\nann:100000:1000\nann:bad\n# x\n1001:300000:10\n", "ann", 1001);
  ASSERT_TRUE(ranges);
  EXPECT_TRUE((UserMappings{*ranges, {}} == UserMappings{kTwo, {}}));
  EXPECT_TRUE(parse_subordinate_ids("ann:1:0\nanna:1:5", "ann", std::nullopt)->empty());
}

TEST(UserMappings, ranges_beyond_32_bits_are_refused) {
  for (const char* line : {"ann:4294967295:1", "ann:4294967296:1", "ann:1:4294967296", "ann:1:18446744073709551615"})
    EXPECT_FALSE(parse_subordinate_ids(line, "ann", std::nullopt)) << line;
}

TEST(UserMappings, the_map_of_a_process_is_read) {
  auto map = parse_id_map("         0     100000       1000\n      1000     300000         10\n");
  EXPECT_TRUE((UserMappings{map, {}} == UserMappings{kTwo, {}}));
}

}  // namespace
}  // namespace sampan::oci
