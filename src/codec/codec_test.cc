#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/json.h"
#include "codec/sha256.h"
#include "codec/text.h"

namespace sampan::codec_test {

struct Inner {
  int64_t nano_cpus = 0;
  std::optional<bool> init;
};
struct Outer {
  std::string name;
  std::set<std::string> exposed_ports;
  std::map<std::string, std::optional<std::vector<std::string>>> bindings;
  std::vector<Inner> list;
  uint16_t small = 0;
};
BOOST_DESCRIBE_STRUCT(Inner, (), (nano_cpus, init))
BOOST_DESCRIBE_STRUCT(Outer, (), (name, exposed_ports, bindings, list, small))

namespace {

using ::testing::HasSubstr;

TEST(Json, described_structs_round_trip) {
  const char* text =
      R"({"Name":"x","ExposedPorts":{"80/tcp":{}},"Bindings":{"a":null,"b":["1"]},"List":[{"NanoCpus":5},{"NanoCpus":0,"Init":true}],"Small":7})";
  auto value = codec::from_json<Outer>(text);
  ASSERT_TRUE(value) << value.error().message();
  EXPECT_FALSE(value->bindings.at("a"));
  EXPECT_EQ(codec::to_json(*value), text);
}

TEST(Json, errors_name_the_member) {
  auto message = [](const char* text) { return codec::from_json<Outer>(text).error().message(); };
  EXPECT_THAT(message(R"({"List":[{},{"NanoCpus":"5"}]})"), HasSubstr("List[1].NanoCpus must be an integer"));
  EXPECT_THAT(message(R"({"Small":70000})"), HasSubstr("Small"));
  EXPECT_THAT(message(R"({"Name":5})"), HasSubstr("Name must be a string"));
  EXPECT_THAT(message("{"), HasSubstr("invalid JSON"));
  EXPECT_THAT(message("{} x"), HasSubstr("invalid JSON"));
}

TEST(Json, null_and_unknown_members_leave_defaults) {
  auto value = codec::from_json<Outer>(R"({"Name":null,"Unknown":[1,2]})");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->name, "");
}

TEST(Json, nesting_is_bounded) {
  EXPECT_FALSE(codec::parse_json(std::string(100000, '[')));
}

TEST(Text, base64_both_alphabets) {
  EXPECT_EQ(codec::format_base64("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
  EXPECT_EQ(*codec::parse_base64("YW55IGNhcm5hbCBwbGVhcw"), "any carnal pleas");
  EXPECT_EQ(*codec::parse_base64("_-8="), *codec::parse_base64("/+8="));
  EXPECT_FALSE(codec::parse_base64("a"));
  EXPECT_FALSE(codec::parse_base64("a b="));
}

TEST(Text, percent_encoding) {
  EXPECT_EQ(*codec::parse_percent("a%2Fb+c", true), "a/b c");
  EXPECT_EQ(codec::format_percent("a/b c"), "a%2Fb%20c");
  for (const char* bad : {"%", "%2", "%zz"}) EXPECT_FALSE(codec::parse_percent(bad, false)) << bad;
}

TEST(Text, times_round_trip) {
  for (const char* text : {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000006Z", "1999-12-31T23:59:59.5Z"}) {
    auto time = codec::parse_rfc3339(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(codec::format_rfc3339(*time), text);
  }
  EXPECT_EQ(codec::format_rfc3339(*codec::parse_rfc3339("2026-01-02T03:04:05+02:00")), "2026-01-02T01:04:05Z");
  EXPECT_EQ(codec::format_rfc3339({}), "0001-01-01T00:00:00Z");
  EXPECT_EQ(codec::format_rfc3339_fixed(*codec::parse_rfc3339("2026-01-02T03:04:05Z")),
            "2026-01-02T03:04:05.000000000Z");
  EXPECT_EQ(codec::parse_timestamp("1700000000.5")->unix_nanos, 1700000000500000000);
  for (const char* bad : {"", "x", "2026-13-01T00:00:00Z", "2026-01-02T03:04:05", "2026-02-30T00:00:00Z"}) {
    EXPECT_FALSE(codec::parse_rfc3339(bad)) << bad;
  }
}

TEST(Text, durations_and_sizes) {
  EXPECT_EQ(*codec::parse_go_duration("1m30s"), 90'000'000'000);
  EXPECT_EQ(*codec::parse_go_duration("1.5h"), 5'400'000'000'000);
  EXPECT_EQ(*codec::parse_go_duration("-2ms"), -2'000'000);
  for (const char* bad : {"", "5", "s", "1x", "1m3"}) EXPECT_FALSE(codec::parse_go_duration(bad)) << bad;
  EXPECT_EQ(*codec::parse_size("64m"), 64 << 20);
  EXPECT_EQ(*codec::parse_size("1.5GiB"), 3LL << 29);
  EXPECT_EQ(*codec::parse_size("10"), 10);
  for (const char* bad : {"", "m", "5q", "-1", "1kk"}) EXPECT_FALSE(codec::parse_size(bad)) << bad;
}

TEST(Sha256, known_answer) {
  EXPECT_EQ(codec::sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  codec::Sha256 hash;
  hash.update("a");
  hash.update("bc");
  EXPECT_EQ(hash.hex(), codec::sha256_hex("abc"));
}

}  // namespace
}  // namespace sampan::codec_test
