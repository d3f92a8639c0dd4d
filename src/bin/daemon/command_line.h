#pragma once
// daemon/command_line: argv, by the table of directives.

#include <optional>
#include <string>

#include "daemon/configuration.h"

namespace sampan::daemon {

struct CommandLine {
  Flags flags;
  std::string config_file = kDefaultConfigFile;
  bool config_file_given = false, validate = false, version = false;
};

/// nullopt when the program is done: `exit_code` says how.
std::optional<CommandLine> parse_command_line(int argc, char** argv, int& exit_code);

}  // namespace sampan::daemon
