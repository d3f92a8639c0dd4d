#include "build/internal/expand.h"

#include "base/strings.h"
#include "build/internal/match.h"

namespace sampan::build {
namespace {

enum class Quotes { Syntax, Text };

class Expander {
 public:
  Expander(std::string_view text, char escape, const Lookup& lookup, Quotes quotes = Quotes::Syntax)
      : text_(text), escape_(escape), lookup_(lookup), quotes_(quotes) {}

  /// Expands up to one of the stop characters, unquoted (none: to the end).
  Result<std::string> run(std::string_view stop) {
    std::string out;
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (stop.find(c) != std::string_view::npos) return out;
      if (c == '\'' && quotes_ == Quotes::Syntax)
        TRY(single_quoted(out));
      else if (c == '"' && quotes_ == Quotes::Syntax)
        TRY(double_quoted(out));
      else if (c == '$')
        out += TRY(variable());
      else if (c == escape_)
        escaped(out);
      else
        out += text_[at_++];
    }
    return out;
  }

  bool at_end() const { return at_ >= text_.size(); }
  void skip() { ++at_; }

 private:
  Error bad(std::string_view what) { return fail(Code::InvalidArgument, "{} in \"{}\"", what, text_); }

  void escaped(std::string& out) {
    // In a text only the dollar sign can be escaped.
    if (quotes_ == Quotes::Text && (at_ + 1 >= text_.size() || text_[at_ + 1] != '$')) {
      out += text_[at_++];
      return;
    }
    ++at_;
    if (at_ < text_.size()) out += text_[at_++];
  }

  Result<void> single_quoted(std::string& out) {
    size_t end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos)
      return bad("unexpected end of statement while looking for matching single-quote");
    out += text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return {};
  }

  Result<void> double_quoted(std::string& out) {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      char c = text_[at_];
      if (c == '$') {
        out += TRY(variable());
      } else if (c == escape_ && at_ + 1 < text_.size()) {
        char next = text_[at_ + 1];
        if (next != '"' && next != '$' && next != escape_) out += c;
        out += next;
        at_ += 2;
      } else {
        out += c;
        ++at_;
      }
    }
    if (at_ >= text_.size()) return bad("unexpected end of statement while looking for matching double-quote");
    ++at_;
    return {};
  }

  std::string name() {
    size_t begin = at_;
    auto word = [](char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    if (at_ < text_.size() && isdigit(static_cast<unsigned char>(text_[at_])))
      ++at_;
    else
      while (at_ < text_.size() && word(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<std::string> variable() {
    ++at_;  // '$'
    if (at_ >= text_.size()) return std::string("$");
    if (text_[at_] != '{') {
      std::string key = name();
      if (key.empty()) return std::string("$");
      return lookup_(key).value_or("");
    }
    ++at_;
    std::string key = name();
    if (key.empty()) return bad("bad substitution");
    if (at_ >= text_.size()) return bad("unexpected end of ${} substitution");
    auto value = lookup_(key);
    if (text_[at_] == '}') {
      ++at_;
      return value.value_or("");
    }
    auto result = TRY(modified(key, value));
    if (at_ >= text_.size() || text_[at_] != '}') return bad("unexpected end of ${} substitution");
    ++at_;
    return result;
  }

  Result<std::string> modified(const std::string& key, const std::optional<std::string>& value) {
    bool colon = text_[at_] == ':';
    if (colon) ++at_;
    if (at_ >= text_.size()) return bad("unexpected end of ${} substitution");
    char op = text_[at_++];
    bool set = value && !(colon && value->empty());
    if (op == '-') {
      auto word = TRY(run("}"));
      return set ? *value : word;
    }
    if (op == '+') {
      auto word = TRY(run("}"));
      return set ? word : std::string();
    }
    if (op == '?') {
      auto word = TRY(run("}"));
      if (!set) return fail(Code::InvalidArgument, "{}: {}", key, word.empty() ? "not allowed to be unset" : word);
      return *value;
    }
    if (colon) return bad("unsupported modifier in substitution");
    if (op == '#' || op == '%') return trimmed(op, value.value_or(""));
    if (op == '/') return replaced(value.value_or(""));
    return bad("unsupported modifier in substitution");
  }

  Result<std::string> trimmed(char op, std::string value) {
    bool longest = at_ < text_.size() && text_[at_] == op;
    if (longest) ++at_;
    auto pattern = TRY(run("}"));
    size_t best = std::string::npos;
    for (size_t length = 0; length <= value.size(); ++length) {
      std::string_view part =
          op == '#' ? std::string_view(value).substr(0, length) : std::string_view(value).substr(value.size() - length);
      if (!shell_match(pattern, part)) continue;
      best = length;
      if (!longest) break;
    }
    if (best == std::string::npos) return value;
    return op == '#' ? value.substr(best) : value.substr(0, value.size() - best);
  }

  Result<std::string> replaced(const std::string& value) {
    bool all = at_ < text_.size() && text_[at_] == '/';
    if (all) ++at_;
    auto pattern = TRY(run("/}"));
    std::string replacement;
    if (at_ < text_.size() && text_[at_] == '/') {
      ++at_;
      replacement = TRY(run("}"));
    }
    std::string out;
    size_t i = 0;
    bool done = pattern.empty();
    while (i < value.size()) {
      size_t matched = 0;
      for (size_t length = value.size() - i; !done && length > 0 && !matched; --length) {
        if (shell_match(pattern, std::string_view(value).substr(i, length))) matched = length;
      }
      if (matched) {
        out += replacement;
        i += matched;
        done = !all;
      } else {
        out += value[i++];
      }
    }
    return out;
  }

  std::string_view text_;
  char escape_;
  const Lookup& lookup_;
  Quotes quotes_;
  size_t at_ = 0;
};

}  // namespace

Result<std::string> expand_word(std::string_view text, char escape, const Lookup& lookup) {
  return Expander(text, escape, lookup).run("");
}

Result<std::string> expand_text(std::string_view text, char escape, const Lookup& lookup) {
  return Expander(text, escape, lookup, Quotes::Text).run("");
}

std::vector<std::string> split_words(std::string_view text, char escape) {
  std::vector<std::string> out;
  std::string word;
  char quote = '\0';
  bool any = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == escape && quote != '\'' && i + 1 < text.size()) {
      word += c;
      word += text[++i];
      any = true;
    } else if (quote) {
      word += c;
      if (c == quote) quote = '\0';
    } else if (c == ' ' || c == '\t') {
      if (any) out.push_back(std::move(word));
      word.clear();
      any = false;
    } else {
      if (c == '\'' || c == '"') quote = c;
      word += c;
      any = true;
    }
  }
  if (any) out.push_back(std::move(word));
  return out;
}

Result<std::vector<std::string>> expand_words(std::string_view text, char escape, const Lookup& lookup) {
  std::vector<std::string> out;
  for (const auto& word : split_words(text, escape)) out.push_back(TRY(expand_word(word, escape, lookup)));
  return out;
}

}  // namespace sampan::build
