#pragma once
// Patterns: Go's filepath.Match (COPY sources), its "**" extension with exceptions (.dockerignore), and the shell's
// (for
// ${v#p}). Pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::build {

/// Go's filepath.Match: * and ? stop at '/', [a-z] classes, backslash escapes. Errors: InvalidArgument (bad pattern).
Result<bool> path_match(std::string_view pattern, std::string_view name);
/// As path_match, but * and ? match '/' too; a bad pattern matches nothing.
bool shell_match(std::string_view pattern, std::string_view text);
bool has_wildcard(std::string_view pattern);

/// A .dockerignore: the last matching rule wins, "!" brings back, a matched directory takes what is below it along.
class IgnoreRules {
 public:
  static Result<IgnoreRules> parse(std::string_view text);
  /// `path` is relative to the context, without a leading slash.
  bool ignored(std::string_view path) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    std::string pattern;
    bool exception = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace sampan::build
