#include "cli/options/parser.h"

#include "base/strings.h"
#include "cli/values/kind.h"

namespace sampan::cli {

namespace {

const Option kHelp{"help", 0, Kind::Flag, "client:print the help and exit", "Print usage"};

using Rows = std::vector<std::span<const Option>>;

bool names_command(const Command& command, std::string_view spelling) {
  if (command.path == spelling) return true;
  for (std::string_view rest = command.aliases; !rest.empty();) {
    size_t bar = rest.find('|');
    if (rest.substr(0, bar) == spelling) return true;
    rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
  }
  return false;
}

// Reads the options of one level (the program's, or a command's) from the words.
class OptionReader {
 public:
  OptionReader(Rows rows, Interspersed interspersed) : rows_(std::move(rows)), interspersed_(interspersed) {}

  std::vector<std::pair<const Option*, std::string>> given;
  std::vector<std::string> positional;
  std::optional<std::string> error;

  // Stops at the first error; returns the index of the first word not consumed.
  size_t read(const std::vector<std::string>& words, size_t index) {
    for (; index < words.size() && !error; ++index) {
      const std::string& word = words[index];
      if (word == "--") {
        positional.insert(positional.end(), words.begin() + static_cast<ptrdiff_t>(index) + 1, words.end());
        return words.size();
      }
      if (word.size() < 2 || word[0] != '-') {
        if (interspersed_ == Interspersed::No) return index;
        positional.push_back(word);
      } else if (word[1] == '-') {
        read_long(words, index);
      } else {
        read_letters(words, index);
      }
    }
    return index;
  }

 private:
  const Option* find(std::string_view name, char letter) const {
    for (auto rows : rows_) {
      for (const Option& row : rows) {
        if (letter ? row.letter == letter : row.name == name) return &row;
      }
    }
    if (!letter && name == "help") return &kHelp;
    return nullptr;
  }

  void read_long(const std::vector<std::string>& words, size_t& index) {
    std::string_view text = std::string_view(words[index]).substr(2);
    size_t equals = text.find('=');
    std::string name(text.substr(0, equals));
    const Option* option = find(name, 0);
    if (!option) {
      error = "unknown flag: --" + name;
    } else if (equals != std::string_view::npos) {
      add(*option, std::string(text.substr(equals + 1)));
    } else if (option->kind == Kind::Flag) {
      add(*option, "true");
    } else if (index + 1 < words.size()) {
      add(*option, words[++index]);
    } else {
      error = "flag needs an argument: --" + name;
    }
  }

  void read_letters(const std::vector<std::string>& words, size_t& index) {
    std::string letters = words[index].substr(1);
    for (size_t at = 0; at < letters.size() && !error; ++at) {
      const Option* option = find({}, letters[at]);
      std::string rest = letters.substr(at + 1);
      if (!option) {
        error = fmt::format("unknown shorthand flag: '{}' in -{}", letters[at], letters.substr(at));
      } else if (rest.starts_with('=')) {
        return add(*option, rest.substr(1));
      } else if (option->kind == Kind::Flag) {
        add(*option, "true");
      } else if (!rest.empty()) {
        return add(*option, rest);
      } else if (index + 1 < words.size()) {
        return add(*option, words[++index]);
      } else {
        error = fmt::format("flag needs an argument: '{}' in -{}", letters[at], letters.substr(at));
      }
    }
  }

  void add(const Option& option, std::string value) {
    auto checked = check_value(option.kind, value);
    if (checked) {
      given.emplace_back(&option, std::move(*checked));
      return;
    }
    std::string spelling =
        option.letter ? fmt::format("-{}, --{}", option.letter, option.name) : fmt::format("--{}", option.name);
    error = fmt::format("invalid argument \"{}\" for \"{}\" flag: {}", value, spelling, checked.error().message());
  }

  Rows rows_;
  Interspersed interspersed_;
};

std::string count_words(int count) {
  return fmt::format("{} argument{}", count, count == 1 ? "" : "s");
}

std::optional<UsageError> check_count(const Arguments& arguments) {
  const Command& command = *arguments.command;
  int count = static_cast<int>(arguments.positional.size());
  if (count >= command.min_arguments && (command.max_arguments < 0 || count <= command.max_arguments)) return {};
  std::string wanted = "requires at least " + count_words(command.min_arguments);
  if (command.max_arguments == 0) {
    wanted = "accepts no arguments";
  } else if (command.max_arguments == command.min_arguments) {
    wanted = "requires " + count_words(command.min_arguments);
  } else if (count > command.max_arguments && command.max_arguments > 0) {
    wanted = "requires at most " + count_words(command.max_arguments);
  }
  std::string text =
      fmt::format("sampan: '{}' {}\n\n", arguments.spelling, wanted) + usage_text(command, arguments.spelling);
  // Docker's own inconsistency, which scripts grep for: "See" after this one error, "Run" after all others.
  if (wanted.starts_with("requires at least")) text.replace(text.rfind("Run '"), 3, "See");
  return UsageError{text, 1};
}

bool is_group(std::string_view name) {
  for (const Group& group : command_groups()) {
    if (group.name == name) return true;
  }
  return false;
}

UsageError unknown_command(const std::string& spelling, const std::string& group) {
  std::string text = "sampan: unknown command: sampan " + spelling + "\n\n";
  if (group.empty()) return {text + "Run 'sampan --help' for more information\n", 1};
  return {text + fmt::format("Usage:  sampan {}\n\nRun 'sampan {} --help' for more information\n", group, group), 1};
}

void take_help(ParsedLine& line, std::vector<std::pair<const Option*, std::string>>& given) {
  std::erase_if(given, [&](const auto& item) {
    if (item.first != &kHelp) return false;
    line.help = item.second == "true";
    return true;
  });
}

// Options given to a group ("sampan container --help") and the command's name behind it.
const Command* choose_command(const std::vector<std::string>& words, size_t& index, ParsedLine& line) {
  std::string spelling = words[index];
  if (is_group(spelling)) {
    if (index + 1 == words.size()) {
      line.group = spelling;
      return nullptr;
    }
    if (words[index + 1] == "--help") {
      line.group = spelling;
      line.help = true;
      return nullptr;
    }
    spelling += ' ' + words[++index];
  }
  const Command* command = find_command(spelling);
  if (!command) {
    size_t blank = spelling.find(' ');
    line.error = unknown_command(spelling, blank == std::string::npos ? "" : spelling.substr(0, blank));
    return nullptr;
  }
  line.arguments.spelling = "sampan " + spelling;
  ++index;
  return command;
}

}  // namespace

std::string ParsedLine::global(std::string_view name) const {
  for (auto it = globals.rbegin(); it != globals.rend(); ++it) {
    if (it->first->name == name) return it->second;
  }
  return {};
}

const Command* find_command(std::string_view spelling) {
  for (auto table : command_tables()) {
    for (const Command& command : table) {
      if (names_command(command, spelling)) return &command;
    }
  }
  return nullptr;
}

ParsedLine parse_line(const std::vector<std::string>& words) {
  ParsedLine line;
  OptionReader globals({global_options()}, Interspersed::No);
  size_t index = globals.read(words, 0);
  if (globals.error) {
    line.error = UsageError{*globals.error +
                                "\n\nUsage:  sampan [OPTIONS] COMMAND [ARG...]\n\n"
                                "Run 'sampan --help' for more information\n",
                            125};
    return line;
  }
  take_help(line, globals.given);
  line.globals = std::move(globals.given);
  if (index == words.size()) return line;
  if (words[index] == "help") {
    line.help = true;
    if (++index == words.size()) return line;
  }
  const Command* command = choose_command(words, index, line);
  if (!command) return line;
  OptionReader reader({command->options, command->more_options}, command->interspersed);
  index = reader.read(words, index);
  line.arguments.command = command;
  take_help(line, reader.given);
  if (line.help) return line;
  if (reader.error) {
    line.error = UsageError{*reader.error + "\n\n" + usage_text(*command, line.arguments.spelling), 125};
    return line;
  }
  line.arguments.given = std::move(reader.given);
  line.arguments.positional = std::move(reader.positional);
  line.arguments.positional.insert(line.arguments.positional.end(), words.begin() + static_cast<ptrdiff_t>(index),
                                   words.end());
  line.error = check_count(line.arguments);
  return line;
}

}  // namespace sampan::cli
