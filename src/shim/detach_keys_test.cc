#include "shim/detach_keys.h"

#include <gtest/gtest.h>

namespace sampan::shim {
namespace {

std::string scan_all(DetachScanner& scanner, const std::vector<std::string>& pieces, bool& detached) {
  std::string out;
  detached = false;
  for (const auto& piece : pieces) {
    if (scanner.scan(piece, out)) detached = true;
  }
  return out;
}

TEST(DetachKeys, names_become_the_bytes_of_a_terminal) {
  EXPECT_EQ(parse_detach_keys("ctrl-p,ctrl-q").value(), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("a,ctrl-[,ctrl-_,DEL").value(), "a\x1b\x1f\x7f");
  EXPECT_EQ(parse_detach_keys("ctrl-@").value(), std::string(1, '\0'));
  EXPECT_EQ(parse_detach_keys("").value(), "");
}

TEST(DetachKeys, unknown_keys_are_refused_with_dockers_words) {
  EXPECT_EQ(parse_detach_keys("ctrl-é").error().message(), "Unknown character: 'ctrl-é'");
  EXPECT_EQ(parse_detach_keys("ctrl-p,,q").error().code(), Code::InvalidArgument);
  EXPECT_FALSE(parse_detach_keys("ctrl-1"));
}

TEST(DetachKeys, the_sequence_is_found_across_pieces_and_never_reaches_the_process) {
  bool detached;
  DetachScanner scanner("\x10\x11");
  EXPECT_EQ(scan_all(scanner, {"ab\x10", "\x11zz"}, detached), "ab");
  EXPECT_TRUE(detached);
}

TEST(DetachKeys, a_broken_off_sequence_is_ordinary_input) {
  bool detached;
  DetachScanner scanner("\x10\x11");
  EXPECT_EQ(scan_all(scanner, {"\x10", "a\x10\x10", "b"}, detached),
            "\x10"
            "a\x10\x10"
            "b");
  EXPECT_FALSE(detached);
}

TEST(DetachKeys, a_sequence_that_begins_inside_a_broken_one_is_found) {
  bool detached;
  DetachScanner scanner("aab");
  EXPECT_EQ(scan_all(scanner, {"aaab"}, detached), "a");
  EXPECT_TRUE(detached);
  EXPECT_EQ(scan_all(scanner, {"xaxaab"}, detached), "xax");
  EXPECT_TRUE(detached);
}

TEST(DetachKeys, without_keys_everything_passes) {
  bool detached;
  DetachScanner scanner("");
  EXPECT_EQ(scan_all(scanner, {"\x10\x11"}, detached), "\x10\x11");
  EXPECT_FALSE(detached);
}

}  // namespace
}  // namespace sampan::shim
