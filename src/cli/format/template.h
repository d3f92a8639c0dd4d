#pragma once
// cli/format/template: the part of Go's text/template that --format needs, over JSON values.
//
//   {{.Name}} {{.State.Status}} {{index .Map "key"}} {{range $k, $v := .List}}..{{else}}..{{end}} {{if}} {{with}}
//   {{.A | upper | printf "%-10s"}} {{json .}} {{- trim -}} {{/* comment */}} {{$x := .A}} {{define}} is not supported
//
// Functions: Go's len index slice printf print println eq ne lt le gt ge and or not html urlquery js (no call), and
// Docker's json split join title lower upper pad truncate. Values are JSON: missing members of an object are an error
// in strict mode ("map has no entry for key") and "<no value>" otherwise, as in Go.
//
// Threads: a parsed Template may be used by several threads at once.

#include <boost/json/fwd.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::cli {

struct TemplateNode;

/// Answers `.Name arg...` for methods that a row has beside its fields, e.g. `.Label "key"`; nullopt: no such method.
using TemplateMethod = std::function<std::optional<boost::json::value>(
    std::string_view name, const std::vector<boost::json::value>& arguments)>;

enum class MissingKey { NoValue, Error };

class Template {
 public:
  /// Errors: InvalidArgument "template: :1: ...".
  static Result<Template> parse(std::string_view text);
  /// Errors: InvalidArgument "template: ...", as Go says it.
  Result<std::string> run(const boost::json::value& data, MissingKey missing = MissingKey::Error,
                          const TemplateMethod& method = {}) const;
  /// The paths of the fields it mentions, e.g. ".Size": some are costly to fetch.
  bool mentions(std::string_view field) const { return text_.find(field) != std::string::npos; }

 private:
  std::shared_ptr<const TemplateNode> root_;
  std::string text_;
};

}  // namespace sampan::cli
