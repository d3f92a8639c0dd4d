#include "cli/options/arguments.h"

#include "base/strings.h"

namespace sampan::cli {

namespace {

const Option* find_row(const Command& command, std::string_view name) {
  for (auto rows : {command.options, command.more_options}) {
    for (const Option& row : rows) {
      if (row.name == name) return &row;
    }
  }
  return nullptr;
}

}  // namespace

bool Arguments::has(std::string_view name) const {
  for (const auto& [option, value] : given) {
    if (option->name == name) return true;
  }
  return false;
}

std::string Arguments::get(std::string_view name) const {
  for (auto it = given.rbegin(); it != given.rend(); ++it) {
    if (it->first->name == name) return it->second;
  }
  const Option* row = command ? find_row(*command, name) : nullptr;
  return row ? std::string(row->initial) : std::string();
}

bool Arguments::flag(std::string_view name) const {
  return get(name) == "true";
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [option, value] : given) {
    if (option->name == name) out.push_back(value);
  }
  return out;
}

int64_t Arguments::number(std::string_view name) const {
  return parse_int(get(name)).value_or(0);
}

std::string usage_text(const Command& command, std::string_view spelling) {
  std::string out = fmt::format("Usage:  {}", spelling);
  if (!command.usage.empty()) out += ' ' + std::string(command.usage);
  return out + fmt::format("\n\nRun '{} --help' for more information\n", spelling);
}

}  // namespace sampan::cli
