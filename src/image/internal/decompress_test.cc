#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include <random>

#include "image/archive.h"
#include "image/internal/tar_builder_for_test.h"
#include "sys/file.h"
#include "sys/shell_for_test.h"

namespace sampan::image {
namespace {

using tar::StringSource;

/// Compresses by the format's own program, so that not our library judges itself.
std::string compressed(const std::string& program, const std::string& text) {
  char name[] = "/tmp/sampan.image.XXXXXX";
  int fd = ::mkstemp(name);
  EXPECT_TRUE(sys::write_all(fd, text));
  ::close(fd);
  std::string out = std::string(name) + ".out";
  if (sys::run_shell_for_test((program + " < " + name + " > " + out + " 2>/dev/null").c_str()) != 0) out.clear();
  std::string result = out.empty() ? "" : sys::read_file(out).value();
  (void)sys::remove_file(name);
  (void)sys::remove_file(std::string(name) + ".out");
  return result;
}

Result<std::string> inflate(const std::string& bytes, size_t in_step = 1 << 20, size_t out_step = 1 << 16) {
  StringSource source(bytes, in_step);
  auto decompressor = make_decompressor(source);
  std::string out, buffer(out_step, '\0');
  for (;;) {
    size_t n = TRY(decompressor->read(buffer));
    if (n == 0) return out;
    out.append(buffer, 0, n);
  }
}

std::string sample(size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) text += fmt::format("line {} {}\n", random() % 1000, random());
  return text;
}

class Decompress : public ::testing::TestWithParam<const char*> {};

TEST_P(Decompress, gives_the_text_back_for_any_cut_of_the_stream) {
  std::string text = sample(400000), packed = compressed(GetParam(), text);
  if (packed.empty()) GTEST_SKIP() << GetParam() << " is not installed";
  for (size_t in_step : {size_t{1}, size_t{7}, size_t{4096}, size_t{1} << 20}) {
    for (size_t out_step : {size_t{13}, size_t{65536}, size_t{1} << 20}) {
      auto out = inflate(packed, in_step, out_step);
      ASSERT_TRUE(out) << out.error().message();
      ASSERT_TRUE(*out == text) << in_step << " " << out_step;
    }
  }
}

TEST_P(Decompress, joins_members_and_accepts_an_empty_one) {
  std::string one = compressed(GetParam(), "one"), two = compressed(GetParam(), sample(70000)),
              none = compressed(GetParam(), "");
  if (one.empty()) GTEST_SKIP() << GetParam() << " is not installed";
  for (size_t step : {1, 2, 3, 5, 17, 1000000}) {
    auto out = inflate(one + none + two + one, static_cast<size_t>(step));
    ASSERT_TRUE(out) << out.error().message();
    EXPECT_TRUE(*out == "one" + sample(70000) + "one");
  }
  EXPECT_EQ(inflate(none).value(), "");
}

TEST_P(Decompress, every_truncation_and_damage_is_an_error) {
  std::string packed = compressed(GetParam(), sample(3000));
  if (packed.empty()) GTEST_SKIP() << GetParam() << " is not installed";
  for (size_t cut = 12; cut < packed.size(); ++cut) {
    auto out = inflate(packed.substr(0, cut));
    ASSERT_FALSE(out) << cut << " of " << packed.size();
    EXPECT_EQ(out.error().code(), Code::InvalidArgument);
  }
  for (size_t at = 12; at < packed.size(); at += 11) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    auto out = inflate(damaged);
    EXPECT_TRUE(!out || *out == sample(3000)) << at;  // a header byte may mean nothing
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, Decompress, ::testing::Values("gzip -n", "zstd -q --check", "bzip2", "xz"),
                         [](const auto& info) {
                           std::string name = info.param;
                           return name.substr(0, name.find(' '));
                         });

TEST(Decompressor, passes_anything_else_through) {
  for (const std::string& text :
       {std::string(), std::string("B"), std::string("BZh is how this file begins"), sample(300000)}) {
    EXPECT_TRUE(inflate(text, 3).value() == text);
  }
}

TEST(Decompressor, zstd_window_over_128_mib_is_refused) {
  // A frame header that asks for a window of 1 GiB.
  auto out = inflate(std::string("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00\x00\x00\x00", 12));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code(), Code::ResourceExhausted);
}

TEST(Decompressor, gzip_padding_is_ignored_and_garbage_is_not) {
  std::string packed = compressed("gzip -n", "text");
  EXPECT_EQ(inflate(packed + std::string(1000, '\0')).value(), "text");
  EXPECT_FALSE(inflate(packed + "garbage"));
}

}  // namespace
}  // namespace sampan::image
