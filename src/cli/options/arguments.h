#pragma once
// cli/options/arguments: a parsed command line.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/options/option.h"

namespace sampan::cli {

struct Arguments {
  const Command* command = nullptr;
  std::string spelling;                                      // as typed: "sampan run"
  std::vector<std::pair<const Option*, std::string>> given;  // in order
  std::vector<std::string> positional;

  bool has(std::string_view name) const;
  /// The last value given, or the row's initial value.
  std::string get(std::string_view name) const;
  bool flag(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  /// The value as a number; it was checked when it was parsed.
  int64_t number(std::string_view name) const;
};

/// Writes the row's usage and a pointer to --help, as follow a wrong command line.
std::string usage_text(const Command& command, std::string_view spelling);

}  // namespace sampan::cli
