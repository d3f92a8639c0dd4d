#pragma once
// Dockerfile text to instructions. Pure; reads hostile input.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sampan::build {

struct Heredoc {
  std::string name;     // the delimiter, and the file's name for COPY
  std::string content;  // with its final newline
  bool expand = true;   // false when the delimiter was quoted
};

struct Flag {
  std::string name, value;  // --from=x
};

struct Instruction {
  std::string name;  // upper case
  std::vector<Flag> flags;
  std::string text;                              // what follows, joined lines, without the flags
  std::optional<std::vector<std::string>> json;  // when the text is a JSON list of strings
  std::vector<Heredoc> heredocs;
  std::string original;  // the whole instruction as it is shown in "Step 1/2 : ..."
  int line = 0;

  const std::string* find_flag(std::string_view name) const;
};

struct Dockerfile {
  char escape = '\\';
  std::vector<Instruction> instructions;
};

/// Errors: InvalidArgument `dockerfile parse error line N: unknown instruction: X`, ...
Result<Dockerfile> parse_dockerfile(std::string_view text);
/// One instruction, as ONBUILD keeps it.
Result<Instruction> parse_instruction(std::string_view text, int line);

}  // namespace sampan::build
