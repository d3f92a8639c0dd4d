#include "cli/options/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sampan::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Parser, letters_bundle_and_take_values_in_every_form) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"run", "-itp80", "x"},
                                             {"run", "-it", "-p=80", "x"},
                                             {"run", "-i", "-t", "-p", "80", "x"},
                                             {"run", "--tty", "--interactive=true", "--publish", "80", "x"}}) {
    ParsedLine line = parse_line(words);
    ASSERT_FALSE(line.error) << line.error->text;
    EXPECT_TRUE(line.arguments.flag("interactive"));
    EXPECT_TRUE(line.arguments.flag("tty"));
    EXPECT_EQ(line.arguments.get("publish"), "80");
    EXPECT_THAT(line.arguments.positional, ElementsAre("x"));
  }
}

TEST(Parser, options_behind_the_image_belong_to_the_container) {
  ParsedLine line = parse_line({"run", "--rm", "image", "ls", "--rm=false", "-la"});
  EXPECT_TRUE(line.arguments.flag("rm"));
  EXPECT_THAT(line.arguments.positional, ElementsAre("image", "ls", "--rm=false", "-la"));
}

TEST(Parser, options_of_other_commands_may_follow_arguments) {
  ParsedLine line = parse_line({"stop", "a", "-t", "3", "b"});
  EXPECT_EQ(line.arguments.number("timeout"), 3);
  EXPECT_THAT(line.arguments.positional, ElementsAre("a", "b"));
}

TEST(Parser, double_dash_ends_the_options) {
  ParsedLine line = parse_line({"rm", "--", "-f"});
  EXPECT_FALSE(line.arguments.flag("force"));
  EXPECT_THAT(line.arguments.positional, ElementsAre("-f"));
}

TEST(Parser, flags_can_be_turned_off_and_the_last_one_wins) {
  ParsedLine line = parse_line({"run", "--sig-proxy=false", "--rm", "--rm=0", "x"});
  EXPECT_FALSE(line.arguments.flag("sig-proxy"));
  EXPECT_FALSE(line.arguments.flag("rm"));
  EXPECT_TRUE(parse_line({"run", "x"}).arguments.flag("sig-proxy"));
}

TEST(Parser, groups_and_aliases_lead_to_the_same_command) {
  const Command* command = find_command("container run");
  EXPECT_EQ(parse_line({"run", "x"}).arguments.command, command);
  EXPECT_EQ(parse_line({"container", "run", "x"}).arguments.command, command);
  EXPECT_EQ(parse_line({"container", "run", "x"}).arguments.spelling, "sampan container run");
  EXPECT_EQ(parse_line({"-H", "unix:///x", "-D", "ps"}).global("host"), "unix:///x");
}

struct Refusal {
  std::vector<std::string> words;
  int code;
  std::string text;
};

class ParserRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(ParserRefuses, in_dockers_words) {
  ParsedLine line = parse_line(GetParam().words);
  ASSERT_TRUE(line.error);
  EXPECT_EQ(line.error->exit_code, GetParam().code);
  EXPECT_THAT(line.error->text, HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Lines, ParserRefuses,
    testing::Values(
        Refusal{{"run", "--foo"},
                125,
                "unknown flag: --foo\n\nUsage:  sampan run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'sampan run "
                "--help' for more information\n"},
        Refusal{{"run"}, 1, "sampan: 'sampan run' requires at least 1 argument\n\n"},
        Refusal{{"run"}, 1, "See 'sampan run --help'"},
        Refusal{{"run", "-tx", "i"}, 125, "unknown shorthand flag: 'x' in -x\n"},
        Refusal{{"run", "--name"}, 125, "flag needs an argument: --name\n"},
        Refusal{{"run", "-e"}, 125, "flag needs an argument: 'e' in -e\n"},
        Refusal{
            {"run", "-c", "x", "i"},
            125,
            "invalid argument \"x\" for \"-c, --cpu-shares\" flag: strconv.ParseInt: parsing \"x\": invalid syntax\n"},
        Refusal{
            {"run", "-m", "1x", "i"}, 125, "invalid argument \"1x\" for \"-m, --memory\" flag: invalid suffix: 'x'\n"},
        Refusal{{"run", "--init=foo", "i"},
                125,
                "invalid argument \"foo\" for \"--init\" flag: strconv.ParseBool: parsing \"foo\": invalid syntax\n"},
        Refusal{{"run", "-a", "foo", "i"}, 125, "valid streams are STDIN, STDOUT and STDERR"},
        Refusal{{"ps", "x"}, 1, "sampan: 'sampan ps' accepts no arguments\n"},
        Refusal{{"images", "a", "b"}, 1, "requires at most 1 argument\n"},
        Refusal{{"rename", "a"}, 1, "requires 2 arguments\n"},
        Refusal{{"foo"}, 1, "sampan: unknown command: sampan foo\n\nRun 'sampan --help' for more information\n"},
        Refusal{
            {"container", "foo"}, 1, "sampan: unknown command: sampan container foo\n\nUsage:  sampan container\n"}));

TEST(Parser, help_wins_over_missing_arguments) {
  EXPECT_TRUE(parse_line({"run", "--help"}).help);
  EXPECT_TRUE(parse_line({"help", "run"}).help);
  EXPECT_TRUE(parse_line({"container", "--help"}).help);
  EXPECT_EQ(parse_line({"container"}).group, "container");
  EXPECT_FALSE(parse_line({"run", "image", "--help"}).help);
}

}  // namespace
}  // namespace sampan::cli
