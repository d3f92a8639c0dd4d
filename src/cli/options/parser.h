#pragma once
// cli/options/parser: argv to Arguments, with the rules of Docker's flag library (pflag).
//
//   -it = -i -t      -p80 = -p 80 = -p=80      --name x = --name=x      --rm=false      -- ends the options
//
// A wrong command line is a UsageError: its text, and the exit code that Docker gives it.

#include <optional>
#include <string>
#include <vector>

#include "cli/options/arguments.h"

namespace sampan::cli {

struct UsageError {
  std::string text;  // complete, for stderr
  int exit_code = 125;
};

struct ParsedLine {
  Arguments arguments;  // command is null when only a group or nothing was named
  std::string group;    // the group named without a command
  std::vector<std::pair<const Option*, std::string>> globals;
  bool help = false;
  std::optional<UsageError> error;

  std::string global(std::string_view name) const;
};

ParsedLine parse_line(const std::vector<std::string>& words);

/// The command with this path or alias, e.g. "container run" or "run".
const Command* find_command(std::string_view spelling);

}  // namespace sampan::cli
