#include "daemon/command_line.h"

#include <CLI/CLI.hpp>

namespace sampan::daemon {

namespace {

bool is_switch(const Directive& row) {
  return std::holds_alternative<bool Settings::*>(row.member);
}

std::string describe(const Directive& row) {
  if (std::holds_alternative<std::monostate>(row.member)) return std::string("Not supported: ") + row.help;
  return row.help;
}

}  // namespace

std::optional<CommandLine> parse_command_line(int argc, char** argv, int& exit_code) {
  CLI::App app("sampand: the daemon of the Sampan container engine", "sampand");
  CommandLine out;
  std::map<std::string, CLI::Option*> said;
  app.set_help_flag("--help", "Print usage");
  auto* file = app.add_option("--config-file", out.config_file, "Configuration, in the form of Docker's daemon.json")
                   ->capture_default_str();
  app.add_flag("--validate", out.validate, "Check the configuration and exit");
  app.add_flag("-v,--version", out.version, "Print the version");
  for (const auto& row : directives()) {
    if (*row.flag == '\0') continue;
    const std::string help = describe(row);
    CLI::Option* option = nullptr;
    if (is_switch(row)) {
      option = app.add_flag(row.flag, help);
    } else {
      option = app.add_option(row.flag, help)->allow_extra_args(false);
    }
    said[row.key] = option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error);
    return std::nullopt;
  }
  out.config_file_given = file->count() > 0;
  for (const auto& [key, option] : said) {
    if (option->count() > 0) out.flags[key] = option->results();
  }
  return out;
}

}  // namespace sampan::daemon
