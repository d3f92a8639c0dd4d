#include "build/internal/match.h"

#include "base/strings.h"

namespace sampan::build {
namespace {

enum class Slash { Stops, Matches };

struct Class {
  bool matched = false, valid = false;
  size_t length = 0;  // characters of the pattern
};

/// "[^a-z]" at the front of the pattern against one character.
Class match_class(std::string_view pattern, char c) {
  Class out;
  size_t i = 1;
  bool negated = i < pattern.size() && (pattern[i] == '^' || pattern[i] == '!');
  if (negated) ++i;
  bool first = true, hit = false;
  auto literal = [&]() -> int {
    if (i < pattern.size() && pattern[i] == '\\') ++i;
    return i < pattern.size() ? static_cast<unsigned char>(pattern[i++]) : -1;
  };
  while (i < pattern.size() && (first || pattern[i] != ']')) {
    first = false;
    int low = literal();
    int high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      high = literal();
    }
    if (low < 0 || high < 0) return out;
    int value = static_cast<unsigned char>(c);
    hit = hit || (low <= value && value <= high);
  }
  if (i >= pattern.size()) return out;
  out.valid = true;
  out.matched = hit != negated;
  out.length = i + 1;
  return out;
}

/// Backtracking over the last star only: linear in practice, quadratic at worst.
bool match(std::string_view pattern, std::string_view text, Slash slash, bool& bad) {
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  auto stops = [&](char c) { return slash == Slash::Stops && c == '/'; };
  while (t < text.size() || p < pattern.size()) {
    if (p < pattern.size()) {
      char c = pattern[p];
      if (c == '*') {
        star = p++;
        mark = t;
        continue;
      }
      if (t < text.size()) {
        size_t used = 0;
        if (c == '?')
          used = stops(text[t]) ? 0 : 1;
        else if (c == '[') {
          Class result = match_class(pattern.substr(p), text[t]);
          if (!result.valid) {
            bad = true;
            return false;
          }
          used = result.matched && !stops(text[t]) ? result.length : 0;
        } else if (c == '\\') {
          if (p + 1 >= pattern.size()) {
            bad = true;
            return false;
          }
          used = pattern[p + 1] == text[t] ? 2 : 0;
        } else {
          used = c == text[t] ? 1 : 0;
        }
        if (used) {
          p += used;
          ++t;
          continue;
        }
      }
    }
    if (star == std::string_view::npos || mark >= text.size() || stops(text[mark])) return false;
    p = star + 1;
    t = ++mark;
  }
  return true;
}

/// Matches with "**" standing for any number of directories.
bool match_deep(const std::vector<std::string>& pattern, size_t p, const std::vector<std::string>& path, size_t n) {
  if (p == pattern.size()) return n == path.size();
  if (pattern[p] == "**") {
    for (size_t skip = n; skip <= path.size(); ++skip) {
      if (match_deep(pattern, p + 1, path, skip)) return true;
    }
    return false;
  }
  bool bad = false;
  return n < path.size() && match(pattern[p], path[n], Slash::Matches, bad) && match_deep(pattern, p + 1, path, n + 1);
}

std::string clean_pattern(std::string_view text) {
  std::vector<std::string> out;
  for (auto& piece : split(text, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece == ".." && !out.empty())
      out.pop_back();
    else if (piece != "..")
      out.push_back(std::move(piece));
  }
  return join(out, "/");
}

}  // namespace

Result<bool> path_match(std::string_view pattern, std::string_view name) {
  bool bad = false;
  bool hit = match(pattern, name, Slash::Stops, bad);
  if (bad) return fail(Code::InvalidArgument, "syntax error in pattern \"{}\"", pattern);
  return hit;
}

bool shell_match(std::string_view pattern, std::string_view text) {
  bool bad = false;
  return match(pattern, text, Slash::Matches, bad);
}

bool has_wildcard(std::string_view pattern) {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

Result<IgnoreRules> IgnoreRules::parse(std::string_view text) {
  IgnoreRules out;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (const auto& raw : split(text, '\n')) {
    std::string_view line = trim(raw);
    if (line.empty() || raw[0] == '#') continue;
    Rule rule;
    if (line[0] == '!') {
      rule.exception = true;
      line = trim(line.substr(1));
      if (line.empty()) return fail(Code::InvalidArgument, "illegal exclusion pattern: \"!\"");
    }
    rule.pattern = clean_pattern(line);
    if (!rule.pattern.empty())
      out.rules_.push_back(std::move(rule));
    else if (!rule.exception && line == ".")
      out.rules_.push_back({"**", false});
  }
  return out;
}

bool IgnoreRules::ignored(std::string_view path) const {
  bool out = false;
  auto pieces = split(path, '/');
  for (const auto& rule : rules_) {
    if (out != rule.exception) continue;  // it could change nothing
    auto pattern = split(rule.pattern, '/');
    // A rule also covers everything below what it matches.
    for (size_t length = 1; length <= pieces.size(); ++length) {
      std::vector<std::string> prefix(pieces.begin(), pieces.begin() + static_cast<ptrdiff_t>(length));
      if (match_deep(pattern, 0, prefix, 0)) {
        out = !rule.exception;
        break;
      }
    }
  }
  return out;
}

}  // namespace sampan::build
