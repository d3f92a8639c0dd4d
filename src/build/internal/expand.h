#pragma once
// Variables and quotes in a Dockerfile's words, with the rules of its "shlex". Pure.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::build {

/// The value of a variable, nullopt when it is not set.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

/// One word: variables replaced, quotes and escapes removed. Supports $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?e}
/// ${v?e} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}. Errors: InvalidArgument.
Result<std::string> expand_word(std::string_view text, char escape, const Lookup& lookup);
/// A heredoc's content: variables are replaced, quotes stay as they are.
Result<std::string> expand_text(std::string_view text, char escape, const Lookup& lookup);
/// Splits at unquoted blanks, then expands each word; a variable's value is not split again.
Result<std::vector<std::string>> expand_words(std::string_view text, char escape, const Lookup& lookup);
/// Splits at unquoted blanks and expands nothing; quotes are kept.
std::vector<std::string> split_words(std::string_view text, char escape);

}  // namespace sampan::build
