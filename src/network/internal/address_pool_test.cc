#include "network/internal/address_pool.h"

#include <gtest/gtest.h>

namespace sampan::network {
namespace {

Prefix prefix(const char* text) {
  return *parse_prefix(text);
}
Ipv4 ip(const char* text) {
  return *parse_ipv4(text);
}

TEST(Ipv4Text, parses_only_four_numbers) {
  EXPECT_EQ(parse_ipv4("172.17.0.2"), 172u << 24 | 17u << 16 | 2u);
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.-4", "a.b.c.d", "1.2.3.0004"}) {
    EXPECT_FALSE(parse_ipv4(bad)) << bad;
  }
  EXPECT_EQ(format_prefix(prefix("10.1.2.3/24")), "10.1.2.0/24");
  EXPECT_FALSE(parse_prefix("10.0.0.0/33"));
  EXPECT_FALSE(parse_prefix("10.0.0.0"));
}

TEST(Ipv4Text, hardware_address_follows_from_the_address) {
  EXPECT_EQ(mac_of(ip("172.17.0.2")), "02:42:ac:11:00:02");
}

TEST(Ipv4Text, mac_is_normalised) {
  EXPECT_EQ(*parse_mac("02-42-AC-11-00-02"), "02:42:ac:11:00:02");
  EXPECT_FALSE(parse_mac("02:42:ac:11:00"));
  EXPECT_FALSE(parse_mac("02:42:ac:11:00:0g"));
}

TEST(AddressPool, skips_network_gateway_and_broadcast) {
  AddressPool pool(prefix("10.0.0.0/29"), prefix("10.0.0.0/29"), ip("10.0.0.1"));
  for (int last = 2; last <= 6; ++last) EXPECT_EQ(format_ipv4(*pool.take_next()), fmt::format("10.0.0.{}", last));
  auto full = pool.take_next();
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Code::ResourceExhausted);
}

TEST(AddressPool, address_given_back_is_not_the_next_one) {
  AddressPool pool(prefix("10.0.0.0/24"), prefix("10.0.0.0/24"), ip("10.0.0.1"));
  Ipv4 first = *pool.take_next();
  pool.give_back(first);
  EXPECT_NE(*pool.take_next(), first);
}

TEST(AddressPool, wraps_around_to_addresses_given_back) {
  AddressPool pool(prefix("10.0.0.0/29"), prefix("10.0.0.0/29"), ip("10.0.0.1"));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(pool.take_next());
  pool.give_back(ip("10.0.0.3"));
  EXPECT_EQ(*pool.take_next(), ip("10.0.0.3"));
}

TEST(AddressPool, chooses_inside_the_range_and_takes_anything_in_the_subnet) {
  AddressPool pool(prefix("10.0.0.0/16"), prefix("10.0.5.0/30"), ip("10.0.0.1"));
  EXPECT_EQ(format_ipv4(*pool.take_next()), "10.0.5.0");
  EXPECT_TRUE(pool.take(ip("10.0.9.9")));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.take_next());
  EXPECT_FALSE(pool.take_next());
}

TEST(AddressPool, wanted_address_conflicts_when_taken) {
  AddressPool pool(prefix("10.0.0.0/24"), prefix("10.0.0.0/24"), ip("10.0.0.1"));
  EXPECT_TRUE(pool.take(ip("10.0.0.7")));
  auto again = pool.take(ip("10.0.0.7"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message(), "Address already in use");
  EXPECT_EQ(pool.take(ip("10.0.0.1")).error().code(), Code::Conflict);
  EXPECT_EQ(pool.take(ip("10.0.1.1")).error().code(), Code::InvalidArgument);
}

TEST(ChooseSubnet, skips_what_overlaps_and_ends_with_an_error) {
  std::vector<Prefix> taken = {prefix("172.17.5.0/24"), prefix("172.16.0.0/14")};
  EXPECT_EQ(format_prefix(*choose_subnet(taken)), "172.20.0.0/16");
  taken.push_back(prefix("172.16.0.0/12"));
  taken.push_back(prefix("192.168.0.0/24"));
  EXPECT_EQ(format_prefix(*choose_subnet(taken)), "192.168.16.0/20");
  taken.push_back(prefix("192.168.0.0/16"));
  EXPECT_EQ(choose_subnet(taken).error().code(), Code::ResourceExhausted);
}

TEST(ChooseSubnet, configured_pools_are_cut_into_pieces_in_order) {
  std::vector<SubnetPool> pools = {{"10.1.0.0/23", 24}, {"10.9.0.0/16", 20}};
  std::vector<Prefix> taken;
  for (const char* expected : {"10.1.0.0/24", "10.1.1.0/24", "10.9.0.0/20", "10.9.16.0/20"}) {
    auto got = choose_subnet(pools, taken);
    ASSERT_TRUE(got);
    EXPECT_EQ(format_prefix(*got), expected);
    taken.push_back(*got);
  }
  taken.push_back(prefix("10.0.0.0/8"));
  EXPECT_EQ(choose_subnet(pools, taken).error().code(), Code::ResourceExhausted);
  std::vector<SubnetPool> bad = {{"10.1.0.0/24", 16}};
  EXPECT_EQ(choose_subnet(bad, {}).error().code(), Code::InvalidArgument);
}

}  // namespace
}  // namespace sampan::network
