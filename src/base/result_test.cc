#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "base/strings.h"

namespace sampan {
namespace {

Result<int> parse(std::string_view text) {
  auto number = parse_int(text);
  if (!number) return fail(Code::InvalidArgument, "\"{}\" is not a number", text);
  return static_cast<int>(*number);
}

Result<int> twice(std::string_view text) {
  return 2 * TRY_CONTEXT(parse(text), "double a number");
}

TEST(Result, try_unwraps_or_returns_with_context) {
  EXPECT_EQ(*twice("21"), 42);
  auto bad = twice("x");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message(), "double a number: \"x\" is not a number");
  EXPECT_EQ(bad.error().code(), Code::InvalidArgument);
}

TEST(Result, carries_move_only_values) {
  auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  auto use = [&]() -> Result<int> { return *TRY(make()); };
  EXPECT_EQ(*use(), 7);
}

TEST(Error, errno_gives_code_and_words) {
  auto error = errno_error(ENOENT, "open \"/x\"");
  EXPECT_EQ(error.code(), Code::NotFound);
  EXPECT_EQ(error.errno_value(), ENOENT);
  EXPECT_EQ(error.message(), "open \"/x\": No such file or directory");
  EXPECT_EQ(http_status(error.code()), 404);
}

TEST(Strings, numbers_are_whole_or_nothing) {
  EXPECT_EQ(parse_int("-5"), -5);
  for (const char* bad : {"", " 5", "5 ", "0x5", "5.", "99999999999999999999"}) EXPECT_FALSE(parse_int(bad)) << bad;
}

TEST(Strings, safe_components_are_one_path_component) {
  EXPECT_TRUE(is_safe_component("a.b-c_d"));
  for (const char* bad : {"", ".", "..", "a/b", "-a", "a b", "a\n"}) EXPECT_FALSE(is_safe_component(bad)) << bad;
}

}  // namespace
}  // namespace sampan
