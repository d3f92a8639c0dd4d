#include "cli/format/template.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace sampan::cli {
namespace {

struct Case {
  const char* text;
  const char* result;
};

const boost::json::value& data() {
  static const boost::json::value value = *codec::parse_json(R"({
    "Name": "web", "Count": 3, "Ratio": 1.5, "On": true, "Off": false, "Empty": "", "Null": null,
    "List": ["a", "b", "c"], "None": [], "Map": {"y": 2, "x": "1"},
    "State": {"Pid": 42, "Health": {"Status": "healthy"}}, "Html": "<a&b>"})");
  return value;
}

class TemplateRuns : public testing::TestWithParam<Case> {};

TEST_P(TemplateRuns, as_go_does) {
  auto parsed = Template::parse(GetParam().text);
  ASSERT_TRUE(parsed) << parsed.error().message();
  auto result = parsed->run(data());
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(*result, GetParam().result) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, TemplateRuns,
    testing::Values(
        Case{"plain", "plain"}, Case{"{{.Name}}:{{.Count}}", "web:3"}, Case{"{{.State.Health.Status}}", "healthy"},
        Case{"{{.List}} {{.Map}}", "[a b c] map[x:1 y:2]"}, Case{"{{.Ratio}} {{.On}} {{.Null}}", "1.5 true <no value>"},
        Case{"{{json .State}}", R"({"Pid":42,"Health":{"Status":"healthy"}})"}, Case{"{{json .Html}}", "\"<a&b>\""},
        Case{"{{ .Name | upper | printf \"%-5s|\" }}", "WEB  |"},
        Case{"{{printf \"%s-%d-%q-%v-%05d-%x\" .Name .Count .Name .List .Count 255}}",
             "web-3-\"web\"-[a b c]-00003-ff"},
        Case{"{{if .On}}yes{{else}}no{{end}}{{if .Off}}yes{{else if .Empty}}maybe{{else}}no{{end}}", "yesno"},
        Case{"{{range .List}}<{{.}}>{{end}}", "<a><b><c>"}, Case{"{{range .None}}x{{else}}empty{{end}}", "empty"},
        Case{"{{range $i, $v := .List}}{{$i}}={{$v}} {{end}}", "0=a 1=b 2=c "},
        Case{"{{range $k, $v := .Map}}{{$k}}={{$v}};{{end}}", "x=1;y=2;"},
        Case{"{{range .List}}{{if eq . \"b\"}}{{continue}}{{end}}{{.}}{{if eq . \"c\"}}{{break}}{{end}}{{end}}", "ac"},
        Case{"{{with .State}}{{.Pid}} {{$.Name}}{{end}}", "42 web"},
        Case{"{{with .Empty}}x{{else}}none{{end}}", "none"},
        Case{"{{index .Map \"x\"}} {{index .List 1}} [{{index .Map \"zz\"}}]", "1 b []"},
        Case{"{{len .List}} {{len .Name}} {{len .Map}}", "3 3 2"},
        Case{"{{eq .Count 3}} {{ne .Name \"x\"}} {{lt .Count 4}} {{ge .Count 4}} {{eq .Name \"a\" \"web\"}}",
             "true true true false true"},
        Case{"{{and .On .Off}} {{or .Empty .Name}} {{not .On}} {{and .Null .Null.Deep.Field}}",
             "false web false <no value>"},
        Case{"{{join .List \",\"}} {{split \"a/b\" \"/\"}} {{title \"foo bar\"}} {{lower \"ABC\"}}",
             "a,b,c [a b] Foo Bar abc"},
        Case{"[{{pad .Name 1 2}}] {{truncate .Name 2}}", "[ web  ] we"}, Case{"{{println .Name .Count}}", "web 3\n"},
        Case{"a {{- .Name -}} b", "awebb"}, Case{"a{{/* comment */}}b", "ab"}, Case{"{{\"}}\"}}", "}}"},
        Case{"{{`raw\\n`}}", "raw\\n"}, Case{"{{$x := .Count}}{{$x}}{{$x = 5}}{{$x}}", "35"},
        Case{"{{(index .List 0) | upper}}{{len (split \"a,b\" \",\")}}", "A2"},
        Case{"{{slice .Name 1 3}} {{print 1 2 \"x\" 3}}", "eb 1 2x3"}, Case{"{{\"a\\tb\"}}", "a\tb"}));

TEST(Template, missing_members_are_an_error_or_no_value) {
  auto parsed = Template::parse("{{.Nope}}");
  auto strict = parsed->run(data());
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().message(), "template: :1: executing \"\" at <.Nope>: map has no entry for key \"Nope\"");
  EXPECT_EQ(*parsed->run(data(), MissingKey::NoValue), "<no value>");
  EXPECT_FALSE(Template::parse("{{.Name.First}}")->run(data()));
}

TEST(Template, broken_texts_are_refused) {
  for (const char* text : {"{{.Name", "{{if .On}}", "{{end}}", "{{nofunc 1}}", "{{}}", "{{.Name | }}", "{{(.Name}}",
                           "{{\"x}}", "{{range .List}}{{else}}"}) {
    EXPECT_FALSE(Template::parse(text)) << text;
  }
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "{{if .On}}";
  EXPECT_FALSE(Template::parse(deep));
}

TEST(Template, failing_functions_are_errors) {
  for (const char* text : {"{{index .List 7}}", "{{index .Null \"a\"}}", "{{len .Count}}", "{{range .Name}}{{end}}",
                           "{{lt .Name 1}}", "{{slice .Name 9}}"}) {
    auto parsed = Template::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_FALSE(parsed->run(data())) << text;
  }
}

TEST(Template, methods_answer_where_there_is_no_member) {
  auto parsed = Template::parse("{{.Label \"a\"}}");
  TemplateMethod method = [](std::string_view name, const std::vector<boost::json::value>& arguments) {
    return std::optional<boost::json::value>(
        boost::json::string(std::string(name) + ":" + std::string(arguments.at(0).as_string())));
  };
  EXPECT_EQ(*parsed->run(data(), MissingKey::Error, method), "Label:a");
}

}  // namespace
}  // namespace sampan::cli
