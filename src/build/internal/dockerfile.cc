#include "build/internal/dockerfile.h"

#include <algorithm>

#include "base/strings.h"
#include "codec/json.h"

namespace sampan::build {
namespace {

constexpr std::string_view kInstructions[] = {"ADD",    "ARG",   "CMD",         "COPY",  "ENTRYPOINT", "ENV",
                                              "EXPOSE", "FROM",  "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
                                              "RUN",    "SHELL", "STOPSIGNAL",  "USER",  "VOLUME",     "WORKDIR"};
constexpr size_t kMaxBytes = 1 << 20;

Error parse_error(int line, std::string_view what) {
  return fail(Code::InvalidArgument, "dockerfile parse error line {}: {}", line, what);
}

std::string_view trim_left(std::string_view text) {
  size_t first = text.find_first_not_of(" \t\r");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

/// "# escape=`" and its like, only before anything else.
bool read_directive(std::string_view line, Dockerfile& file) {
  line = trim(line);
  if (line.empty() || line[0] != '#') return false;
  auto parts = split_once(trim(line.substr(1)), '=');
  if (!parts) return false;
  std::string name = to_lower(trim(parts->first));
  std::string_view value = trim(parts->second);
  if (name == "escape" && (value == "\\" || value == "`")) file.escape = value[0];
  return name == "escape" || name == "syntax" || name == "check";
}

/// Removes a trailing continuation; true when the instruction goes on.
bool continues(std::string& line, char escape) {
  size_t last = line.find_last_not_of(" \t\r");
  if (last == std::string::npos || line[last] != escape) return false;
  line.erase(last);
  return true;
}

/// The delimiters that an instruction's text announces: <<EOF, <<-EOF, <<"EOF".
struct HeredocStart {
  std::string name;
  bool strip_tabs = false, expand = true;
};
std::vector<HeredocStart> find_heredocs(std::string_view text) {
  std::vector<HeredocStart> out;
  for (size_t at = text.find("<<"); at != std::string_view::npos; at = text.find("<<", at + 2)) {
    if (at > 0 && text[at - 1] == '<') continue;
    size_t i = at + 2;
    HeredocStart start;
    if (i < text.size() && text[i] == '-') {
      start.strip_tabs = true;
      ++i;
    }
    char quote = i < text.size() && (text[i] == '"' || text[i] == '\'') ? text[i++] : '\0';
    size_t begin = i;
    while (i < text.size() &&
           (isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_' || text[i] == '.' || text[i] == '-'))
      ++i;
    start.name = text.substr(begin, i - begin);
    start.expand = quote == '\0';
    if (quote && (i >= text.size() || text[i] != quote)) continue;
    if (!start.name.empty()) out.push_back(std::move(start));
  }
  return out;
}

void split_flags(std::string_view& rest, std::vector<Flag>& flags) {
  for (;;) {
    rest = trim_left(rest);
    if (!rest.starts_with("--")) return;
    size_t end = rest.find_first_of(" \t");
    std::string_view word = rest.substr(2, end == std::string_view::npos ? end : end - 2);
    if (word.empty()) return;
    auto parts = split_once(word, '=');
    flags.push_back(parts ? Flag{std::string(parts->first), std::string(parts->second)} : Flag{std::string(word), ""});
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  }
}

std::optional<std::vector<std::string>> parse_json_list(std::string_view text) {
  if (text.empty() || text[0] != '[') return std::nullopt;
  auto list = codec::from_json<std::vector<std::string>>(text);
  if (!list) return std::nullopt;
  return std::move(*list);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lines_(split(text, '\n')) {
    if (!lines_.empty() && lines_[0].starts_with("\xef\xbb\xbf")) lines_[0].erase(0, 3);
  }

  Result<Dockerfile> parse() {
    while (at_ < lines_.size() && read_directive(lines_[at_], file_)) ++at_;
    while (at_ < lines_.size()) {
      std::string_view line = trim(lines_[at_]);
      if (line.empty() || line[0] == '#') {
        ++at_;
        continue;
      }
      TRY(read_instruction());
    }
    if (file_.instructions.empty()) return fail(Code::InvalidArgument, "the Dockerfile cannot be empty");
    return std::move(file_);
  }

 private:
  Result<void> read_instruction() {
    int first_line = static_cast<int>(at_) + 1;
    std::string joined;
    bool more = true;
    while (more && at_ < lines_.size()) {
      std::string line = lines_[at_++];
      std::string_view bare = trim(line);
      if (!joined.empty() && (bare.empty() || bare[0] == '#')) continue;  // comments and blanks inside are dropped
      if (!line.empty() && line.back() == '\r') line.pop_back();
      more = continues(line, file_.escape);
      joined += joined.empty() ? std::string(trim_left(line)) : line;
    }
    auto instruction = TRY(parse_instruction(joined, first_line));
    if (instruction.name == "RUN" || instruction.name == "COPY" || instruction.name == "ADD") {
      TRY(read_heredocs(instruction));
    }
    file_.instructions.push_back(std::move(instruction));
    return {};
  }

  Result<void> read_heredocs(Instruction& instruction) {
    if (instruction.json) return {};
    for (const auto& start : find_heredocs(instruction.text)) {
      Heredoc doc{start.name, "", start.expand};
      bool closed = false;
      while (at_ < lines_.size() && !closed) {
        std::string line = lines_[at_++];
        if (start.strip_tabs)
          line.erase(0, line.find_first_not_of('\t') == std::string::npos ? line.size() : line.find_first_not_of('\t'));
        if (line == start.name)
          closed = true;
        else
          doc.content += line + "\n";
      }
      if (!closed) return parse_error(instruction.line, "unterminated heredoc " + start.name);
      instruction.heredocs.push_back(std::move(doc));
    }
    return {};
  }

  std::vector<std::string> lines_;
  size_t at_ = 0;
  Dockerfile file_;
};

}  // namespace

const std::string* Instruction::find_flag(std::string_view wanted) const {
  for (const auto& flag : flags) {
    if (flag.name == wanted) return &flag.value;
  }
  return nullptr;
}

Result<Instruction> parse_instruction(std::string_view text, int line) {
  Instruction out;
  out.line = line;
  out.original = trim(text);
  size_t end = out.original.find_first_of(" \t");
  out.name = to_upper(std::string_view(out.original).substr(0, end));
  if (std::ranges::find(kInstructions, out.name) == std::end(kInstructions)) {
    return parse_error(line, "unknown instruction: " + out.original.substr(0, end));
  }
  std::string_view rest = end == std::string::npos ? std::string_view() : std::string_view(out.original).substr(end);
  if (out.name != "CMD" && out.name != "ENTRYPOINT" && out.name != "ENV" && out.name != "LABEL" &&
      out.name != "ONBUILD") {
    split_flags(rest, out.flags);
  }
  out.text = trim(rest);
  if (out.text.empty() && out.name != "CMD" && out.name != "ENTRYPOINT") {
    return parse_error(line, out.name + " requires at least one argument");
  }
  out.json = parse_json_list(out.text);
  out.original =
      out.name + (end == std::string::npos ? "" : " " + std::string(trim(std::string_view(out.original).substr(end))));
  return out;
}

Result<Dockerfile> parse_dockerfile(std::string_view text) {
  if (text.size() > kMaxBytes) return fail(Code::InvalidArgument, "the Dockerfile is larger than {} bytes", kMaxBytes);
  if (text.find('\0') != std::string_view::npos) return fail(Code::InvalidArgument, "the Dockerfile has a NUL byte");
  return Parser(text).parse();
}

}  // namespace sampan::build
