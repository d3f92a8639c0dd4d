#pragma once
// cli/values/ignore: the patterns of .dockerignore. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::cli {

/// Go's filepath.Match, with "**" for any number of components.
bool matches_pattern(std::string_view pattern, std::string_view path);

class IgnoreList {
 public:
  /// One pattern a line; '#' comments, '!' re-includes, the last match wins.
  /// Errors: InvalidArgument (a lone '!', an unclosed bracket).
  static Result<IgnoreList> parse(std::string_view text);
  void add(std::string pattern, bool include) { rules_.push_back({std::move(pattern), include}); }
  /// True when the path, relative to the context's root, is left out. A pattern matches what is below it, too.
  bool ignores(std::string_view path) const;
  /// False when nothing below an ignored directory can be included again.
  bool may_include_below(std::string_view directory) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    std::string pattern;
    bool include = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace sampan::cli
