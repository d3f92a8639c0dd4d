#pragma once
// cli/format/template_node: a parsed template.

#include <boost/json.hpp>

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/format/template.h"

namespace sampan::cli {

/// What stands for one value in a pipeline.
struct TemplateTerm {
  enum class Kind { Dot, Literal, Variable, Function, Pipe };
  Kind kind = Kind::Dot;
  std::string name;  // of the variable or the function
  boost::json::value literal;
  std::vector<std::string> fields;      // .A.B behind it
  std::vector<TemplateTerm> arguments;  // of a function or a method
  std::vector<TemplateTerm> pipe;       // Kind::Pipe: commands, the result of each is the next one's last argument
};

struct TemplateNode {
  enum class Kind { Text, Action, If, Range, With, List, Break, Continue };
  Kind kind = Kind::List;
  std::string text;
  std::vector<std::string> variables;  // declared or assigned by the pipeline
  bool declares = false;
  TemplateTerm pipe;
  std::vector<TemplateNode> body;
  std::vector<TemplateNode> otherwise;
};

Result<TemplateNode> parse_template(std::string_view text);

/// How Go's fmt prints the value with %v: lists as [a b], objects as map[k:v].
std::string go_text(const boost::json::value& value);
bool is_true(const boost::json::value& value);
/// Calls a function by name. Errors: InvalidArgument (wrong arguments).
Result<boost::json::value> call_function(std::string_view name, const std::vector<boost::json::value>& arguments);
bool is_function(std::string_view name);
Result<std::string> go_printf(const std::vector<boost::json::value>& arguments);

}  // namespace sampan::cli
