#pragma once
// cli/options/help: --help, made from the rows.

#include <string>

#include "cli/options/option.h"

namespace sampan::cli {

/// The whole program's help: the everyday commands, the groups, the others, the global options.
std::string program_help();
std::string group_help(std::string_view group);
std::string command_help(const Command& command, std::string_view spelling);
/// One line an option, wrapped at 80 columns.
std::string options_help(std::span<const Option> rows, std::span<const Option> more_rows);

}  // namespace sampan::cli
