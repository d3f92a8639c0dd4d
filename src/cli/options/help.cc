#include "cli/options/help.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "cli/values/kind.h"

namespace sampan::cli {

namespace {

constexpr size_t kWidth = 80;

// Words of `text`, the lines after the first indented.
std::string wrap(std::string_view text, size_t indent) {
  size_t width = kWidth - std::min(indent, kWidth - 20), used = 0;
  std::string out;
  for (const std::string& word : split(text, ' ')) {
    if (used > 0 && used + 1 + word.size() > width) {
      out += '\n' + std::string(indent, ' ');
      used = 0;
    }
    if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word.size();
  }
  return out;
}

std::string spelling_of(const Option& row) {
  std::string out = row.letter ? fmt::format("  -{}, --{}", row.letter, row.name) : fmt::format("      --{}", row.name);
  std::string_view word = kind_info(row.kind).word;
  return word.empty() ? out : out + ' ' + std::string(word);
}

std::string help_of(const Option& row) {
  std::string out(row.help);
  if (row.initial.empty()) return out;
  bool quoted = row.kind == Kind::String || row.kind == Kind::Restart;
  return out + (quoted ? fmt::format(" (default \"{}\")", row.initial) : fmt::format(" (default {})", row.initial));
}

std::string_view last_word(std::string_view path) {
  size_t blank = path.rfind(' ');
  return blank == std::string_view::npos ? path : path.substr(blank + 1);
}

using Listed = std::vector<std::pair<std::string, std::string_view>>;

std::string listing(std::string_view title, Listed items) {
  std::ranges::sort(items);
  size_t width = 0;
  for (const auto& [name, help] : items) width = std::max(width, name.size());
  std::string out = fmt::format("\n{}:\n", title);
  for (const auto& [name, help] : items) out += fmt::format("  {:<{}}  {}\n", name, width, help);
  return out;
}

constexpr std::string_view kEveryday[] = {"run",    "exec",  "ps",     "build",  "pull",    "push",
                                          "images", "login", "logout", "search", "version", "info"};

// The spelling without a group, empty when there is none.
std::string_view short_spelling(const Command& command) {
  if (command.path.find(' ') == std::string_view::npos) return command.path;
  std::string_view first = command.aliases.substr(0, command.aliases.find('|'));
  return first.find(' ') == std::string_view::npos ? first : std::string_view();
}

}  // namespace

std::string options_help(std::span<const Option> rows, std::span<const Option> more_rows) {
  std::vector<const Option*> all;
  for (auto table : {rows, more_rows}) {
    for (const Option& row : table) all.push_back(&row);
  }
  std::ranges::sort(all, {}, [](const Option* row) { return row->name; });
  size_t width = 0;
  for (const Option* row : all) width = std::max(width, spelling_of(*row).size());
  std::string out;
  for (const Option* row : all) {
    out += fmt::format("{:<{}}   {}\n", spelling_of(*row), width, wrap(help_of(*row), width + 3));
  }
  return out;
}

std::string command_help(const Command& command, std::string_view spelling) {
  std::string out = fmt::format("Usage:  {}", spelling);
  if (!command.usage.empty()) out += ' ' + std::string(command.usage);
  out += fmt::format("\n\n{}\n", command.help);
  if (!command.aliases.empty()) {
    out += fmt::format("\nAliases:\n  sampan {}", command.path);
    for (const std::string& alias : split(command.aliases, '|')) out += ", sampan " + alias;
    out += '\n';
  }
  if (!command.options.empty() || !command.more_options.empty()) {
    out += "\nOptions:\n" + options_help(command.options, command.more_options);
  }
  return out;
}

std::string group_help(std::string_view group) {
  std::string out = fmt::format("Usage:  sampan {} COMMAND\n", group);
  for (const Group& row : command_groups()) {
    if (row.name == group) out += fmt::format("\n{}\n", row.help);
  }
  Listed items;
  for (auto table : command_tables()) {
    for (const Command& command : table) {
      bool member = command.path.starts_with(group) && command.path.substr(group.size()).starts_with(' ');
      if (member) items.emplace_back(last_word(command.path), command.help);
      if (group == "builder" && command.path == "image build") items.emplace_back("build", command.help);
    }
  }
  out += listing("Commands", items);
  return out + fmt::format("\nRun 'sampan {} COMMAND --help' for more information on a command.\n", group);
}

std::string program_help() {
  Listed everyday, groups, others;
  for (auto table : command_tables()) {
    for (const Command& command : table) {
      std::string_view name = short_spelling(command);
      if (name.empty()) continue;
      bool common = std::ranges::find(kEveryday, name) != std::end(kEveryday);
      (common ? everyday : others).emplace_back(name, command.help);
    }
  }
  for (const Group& group : command_groups()) groups.emplace_back(group.name, group.help);
  std::string out = "Usage:  sampan [OPTIONS] COMMAND\n\nRuns containers: small, fast, and the same everywhere.\n";
  out += listing("Common Commands", everyday) + listing("Management Commands", groups) + listing("Commands", others);
  out += "\nGlobal Options:\n" + options_help(global_options(), {});
  return out + "\nRun 'sampan COMMAND --help' for more information on a command.\n";
}

}  // namespace sampan::cli
