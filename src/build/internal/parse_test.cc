#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build/internal/dockerfile.h"
#include "build/internal/execute.h"
#include "build/internal/expand.h"
#include "build/internal/match.h"
#include "build/internal/stages.h"

namespace sampan::build {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names_of(const Dockerfile& file) {
  std::vector<std::string> out;
  for (const auto& i : file.instructions) out.push_back(i.name + "|" + i.text);
  return out;
}

TEST(Dockerfile, the_talks_own_example_parses) {
  auto file = parse_dockerfile(
      "FROM node:7\nCOPY ./app /app\nWORKDIR /app\nRUN npm install\nEXPOSE 8000\nCMD [\"npm\", \"start\"]\n");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_THAT(names_of(*file), ElementsAre("FROM|node:7", "COPY|./app /app", "WORKDIR|/app", "RUN|npm install",
                                           "EXPOSE|8000", "CMD|[\"npm\", \"start\"]"));
  EXPECT_THAT(*file->instructions.back().json, ElementsAre("npm", "start"));
}

TEST(Dockerfile, lines_join_and_comments_inside_them_are_dropped) {
  auto file = parse_dockerfile("# syntax=x\n# escape=`\nfrom a\nrun one `\n  # not this\n\n  two\n");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->escape, '`');
  EXPECT_THAT(names_of(*file), ElementsAre("FROM|a", "RUN|one   two"));
}

TEST(Dockerfile, heredocs_keep_their_content) {
  auto file = parse_dockerfile("FROM a\nRUN <<EOF\necho 1\necho 2\nEOF\nCOPY <<-\"X\" /x\n\tv=$v\n\tX\n");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->instructions[1].heredocs[0].content, "echo 1\necho 2\n");
  EXPECT_EQ(file->instructions[2].heredocs[0].content, "v=$v\n");
  EXPECT_FALSE(file->instructions[2].heredocs[0].expand);
}

TEST(Dockerfile, mistakes_name_their_line) {
  for (auto [text, words] : {std::pair("FROM a\nRUNN x\n", "line 2: unknown instruction: RUNN"),
                             std::pair("\n# only a comment\n", "cannot be empty"), std::pair("FROM\n", "FROM requires"),
                             std::pair("FROM a\nRUN <<EOF\nx\n", "unterminated heredoc EOF")}) {
    auto file = parse_dockerfile(text);
    ASSERT_FALSE(file) << text;
    EXPECT_THAT(file.error().message(), HasSubstr(words));
  }
}

TEST(Expand, substitution_forms) {
  Lookup lookup = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "alpha";
    if (name == "E") return "";
    if (name == "F") return "lib/libfoo.so.1";
    return std::nullopt;
  };
  const std::pair<const char*, const char*> cases[] = {{"$A/x", "alpha/x"},
                                                       {"${A}b", "alphab"},
                                                       {"${N:-d}", "d"},
                                                       {"${E:-d}", "d"},
                                                       {"${E-d}", ""},
                                                       {"${A:+set}", "set"},
                                                       {"${N:+set}", ""},
                                                       {"'$A'", "$A"},
                                                       {"\"$A b\"", "alpha b"},
                                                       {"\\$A", "$A"},
                                                       {"${N:-${A}}", "alpha"},
                                                       {"${F#*/}", "libfoo.so.1"},
                                                       {"${F%.*}", "lib/libfoo.so"},
                                                       {"${F%%.*}", "lib/libfoo"},
                                                       {"${F##*/}", "libfoo.so.1"},
                                                       {"${F/lib/LIB}", "LIB/libfoo.so.1"},
                                                       {"${F//lib/L}", "L/Lfoo.so.1"},
                                                       {"$", "$"},
                                                       {"a$", "a$"}};
  for (auto [in, out] : cases) {
    auto result = expand_word(in, '\\', lookup);
    ASSERT_TRUE(result) << in << ": " << result.error().message();
    EXPECT_EQ(*result, out) << in;
  }
  EXPECT_THAT(expand_word("${N:?must be set}", '\\', lookup).error().message(), HasSubstr("N: must be set"));
  for (const char* bad : {"${", "${A", "${A:", "'open", "\"open", "${A:*x}"})
    EXPECT_FALSE(expand_word(bad, '\\', lookup)) << bad;
}

TEST(Expand, words_are_split_before_expansion) {
  Lookup lookup = [](const std::string&) -> std::optional<std::string> { return "a b"; };
  EXPECT_THAT(*expand_words("x \"y z\" $V  w\\ q", '\\', lookup), ElementsAre("x", "y z", "a b", "w q"));
}

TEST(Expand, a_heredocs_quotes_are_text) {
  Lookup lookup = [](const std::string&) -> std::optional<std::string> { return "v"; };
  EXPECT_EQ(*expand_text("say \"$A\" and '${B}' \\$C \\n\n", '\\', lookup), "say \"v\" and 'v' $C \\n\n");
}

TEST(Match, gos_filepath_match) {
  EXPECT_TRUE(*path_match("*.js", "a.js"));
  EXPECT_FALSE(*path_match("*.js", "d/a.js"));
  EXPECT_TRUE(*path_match("a?c/[x-z]*", "abc/yes"));
  EXPECT_FALSE(*path_match("[^a]", "a"));
  EXPECT_TRUE(*path_match("\\*", "*"));
  EXPECT_FALSE(path_match("[", "a"));
}

TEST(Ignore, last_match_wins_and_parents_count) {
  auto rules = IgnoreRules::parse("# comment\nnode_modules\n**/*.log\n!keep/important.log\n/secret/\n");
  ASSERT_TRUE(rules);
  EXPECT_TRUE(rules->ignored("node_modules/x/y.js"));
  EXPECT_TRUE(rules->ignored("a/b/c.log"));
  EXPECT_TRUE(rules->ignored("c.log"));
  EXPECT_FALSE(rules->ignored("keep/important.log"));
  EXPECT_TRUE(rules->ignored("secret"));
  EXPECT_FALSE(rules->ignored("src/node_modules.txt"));
  EXPECT_FALSE(IgnoreRules::parse("!"));
}

TEST(Stages, unused_ones_are_dropped_and_arguments_reach_from) {
  auto file = parse_dockerfile(
      "ARG TAG=1\nFROM base:$TAG AS one\nRUN a\nFROM scratch AS unused\nRUN b\nFROM one\nCOPY --from=one /x /x\n");
  auto graph = make_graph(*file, {{"TAG", "2"}}, "");
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_EQ(graph->stages[0].base, "base:2");
  EXPECT_THAT(graph->order, ElementsAre(0u, 2u));
  EXPECT_EQ(graph->total_steps, 4);
}

TEST(Stages, target_by_name_and_unknown_target) {
  auto file = parse_dockerfile("FROM a AS First\nFROM b\n");
  EXPECT_EQ(make_graph(*file, {}, "first")->target, 0u);
  auto graph = make_graph(*file, {}, "nope");
  ASSERT_FALSE(graph);
  EXPECT_THAT(graph.error().message(), HasSubstr("target stage \"nope\" could not be found"));
}

TEST(Stages, bad_graphs_are_refused) {
  for (const char* text : {"RUN x\n", "FROM a AS x\nFROM b AS X\n", "FROM a AS 1x\n", "FROM a b\n", "FROM $NOPE\n"}) {
    auto file = parse_dockerfile(text);
    ASSERT_TRUE(file);
    EXPECT_FALSE(make_graph(*file, {}, "")) << text;
  }
}

TEST(Config, instructions_change_the_configuration) {
  oci::ImageConfig config;
  config.env = {"A=1"};
  config.cmd = std::vector<std::string>{"old"};
  Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
    return name == "A" ? std::optional<std::string>("1") : std::nullopt;
  };
  auto apply = [&](const char* text) { return apply_config(*parse_instruction(text, 1), '\\', lookup, config); };
  ASSERT_TRUE(apply("ENV A=2 B=\"x y\" C=$A"));
  EXPECT_THAT(config.env, ElementsAre("A=2", "B=x y", "C=1"));
  ASSERT_TRUE(apply("ENV OLD style value"));
  EXPECT_EQ(config.env.back(), "OLD=style value");
  ASSERT_TRUE(apply("EXPOSE 80 53/udp 7000-7002"));
  EXPECT_THAT(config.exposed_ports, ElementsAre("53/udp", "7000/tcp", "7001/tcp", "7002/tcp", "80/tcp"));
  ASSERT_TRUE(apply("ENTRYPOINT [\"/init\"]"));
  EXPECT_FALSE(config.cmd);
  EXPECT_EQ(*apply("CMD echo hi"), "CMD [\"/bin/sh\" \"-c\" \"echo hi\"]");
  ASSERT_TRUE(apply("HEALTHCHECK --interval=5s --retries=2 CMD wget -q x"));
  EXPECT_EQ(config.healthcheck->interval, 5'000'000'000);
  EXPECT_THAT(config.healthcheck->test, ElementsAre("CMD-SHELL", "wget -q x"));
  ASSERT_TRUE(apply("ONBUILD RUN x"));
  for (const char* bad : {"EXPOSE 0", "EXPOSE 80/xyz", "SHELL sh", "ENV =x", "LABEL", "HEALTHCHECK WAT x",
                          "ONBUILD ONBUILD RUN x", "ONBUILD FROM x", "USER --x=1 y"}) {
    auto instruction = parse_instruction(bad, 1);
    EXPECT_TRUE(!instruction || !apply_config(*instruction, '\\', lookup, config)) << bad;
  }
}

}  // namespace
}  // namespace sampan::build
