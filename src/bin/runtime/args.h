#pragma once
// sampan-runtime's command line: rows of flags, the same for parsing and for --help.

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::bin {

enum class Takes { Nothing, Value };
struct Flag {
  std::string_view name;        // without dashes
  std::string_view short_name;  // "" for none
  Takes takes = Takes::Nothing;
  std::string_view help;
};

/// The flags of a command that has those of another, and more.
template <size_t N, size_t M>
consteval std::array<Flag, N + M> with_flags(const Flag (&common)[N], const Flag (&own)[M]) {
  std::array<Flag, N + M> flags;
  std::copy_n(common, N, flags.begin());
  std::copy_n(own, M, flags.begin() + N);
  return flags;
}

/// Parsed flags and what was left. Values of a repeated flag are kept in order.
class Args {
 public:
  /// "--name value", "--name=value", "-n value", "-name value" (as Go's flag package). Stops at the first word that is
  /// no flag, or after "--". "help" is known to every command. Errors: InvalidArgument.
  static Result<Args> parse(std::span<const Flag> flags, std::span<const std::string> words);

  bool has(std::string_view name) const { return values_.contains(std::string(name)); }
  std::string get(std::string_view name, std::string_view otherwise = "") const;
  std::vector<std::string> all(std::string_view name) const;
  /// A whole number. Errors: InvalidArgument naming the flag.
  Result<std::optional<int64_t>> number(std::string_view name) const;
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> rest_;
};

std::string format_flags(std::span<const Flag> flags);

}  // namespace sampan::bin
