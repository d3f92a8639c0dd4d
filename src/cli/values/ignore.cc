#include "cli/values/ignore.h"

#include <map>

#include "base/strings.h"

namespace sampan::cli {

namespace {

// The end of a "[...]" class that starts at `at`, npos when it is not closed.
size_t class_end(std::string_view pattern, size_t at) {
  size_t i = at + 1;
  if (i < pattern.size() && pattern[i] == '^') ++i;
  for (size_t first = i; i < pattern.size(); ++i) {
    if (pattern[i] == '\\')
      ++i;
    else if (pattern[i] == ']' && i > first)
      return i;
  }
  return std::string_view::npos;
}

bool in_class(std::string_view body, char c) {
  bool negated = body.starts_with('^');
  if (negated) body.remove_prefix(1);
  bool found = false;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\\' && i + 1 < body.size()) ++i;
    char low = body[i], high = low;
    if (i + 2 < body.size() && body[i + 1] == '-') {
      high = body[i + 2];
      i += 2;
    }
    if (c >= low && c <= high) found = true;
  }
  return found != negated;
}

// Backtracking with a memory of what failed: linear in pattern times path, however many stars there are.
class Matcher {
 public:
  Matcher(std::string_view pattern, std::string_view path)
      : pattern_(pattern), path_(path), failed_((pattern.size() + 1) * (path.size() + 1)) {}

  bool match(size_t p, size_t s) {
    size_t slot = p * (path_.size() + 1) + s;
    if (failed_[slot]) return false;
    bool ok = try_match(p, s);
    if (!ok) failed_[slot] = true;
    return ok;
  }

 private:
  bool try_match(size_t p, size_t s) {
    if (p == pattern_.size()) return s == path_.size();
    char c = pattern_[p];
    if (pattern_.substr(p, 2) == "**") return match_double_star(p, s);
    if (c == '*') {
      for (size_t end = s;; ++end) {
        if (match(p + 1, end)) return true;
        if (end == path_.size() || path_[end] == '/') return false;
      }
    }
    if (s == path_.size()) return false;
    if (c == '?') return path_[s] != '/' && match(p + 1, s + 1);
    if (c == '[') {
      size_t end = class_end(pattern_, p);
      return end != std::string_view::npos && path_[s] != '/' &&
             in_class(pattern_.substr(p + 1, end - p - 1), path_[s]) && match(end + 1, s + 1);
    }
    if (c == '\\' && p + 1 < pattern_.size()) return pattern_[p + 1] == path_[s] && match(p + 2, s + 1);
    return c == path_[s] && match(p + 1, s + 1);
  }

  // "**/" stands for nothing or for components with their slashes; "**" at the end for anything.
  bool match_double_star(size_t p, size_t s) {
    size_t after = p + 2;
    while (after < pattern_.size() && pattern_[after] == '*') ++after;
    bool slash = after < pattern_.size() && pattern_[after] == '/';
    if (after == pattern_.size()) return s < path_.size() || p == 0;
    if (slash && match(after + 1, s)) return true;
    for (size_t end = s; end <= path_.size(); ++end) {
      if (match(after, end)) return true;
    }
    return false;
  }

  std::string_view pattern_, path_;
  std::vector<bool> failed_;
};

// Go's filepath.Clean for a relative pattern.
std::string clean(std::string_view pattern) {
  std::vector<std::string> parts;
  for (const std::string& part : split(pattern, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..")
      parts.pop_back();
    else
      parts.push_back(part);
  }
  return join(parts, "/");
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view path) {
  return Matcher(pattern, path).match(0, 0);
}

Result<IgnoreList> IgnoreList::parse(std::string_view text) {
  IgnoreList out;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (const std::string& raw : split(text, '\n')) {
    if (raw.starts_with('#')) continue;
    std::string_view line = trim(raw);
    if (line.empty()) continue;
    bool include = line[0] == '!';
    if (include) line = trim(line.substr(1));
    if (include && line.empty()) return fail(Code::InvalidArgument, "illegal exclusion pattern: \"!\"");
    std::string pattern = clean(line);
    for (size_t at = pattern.find('['); at != std::string::npos; at = pattern.find('[', at)) {
      if (at > 0 && pattern[at - 1] == '\\') {
        ++at;
        continue;
      }
      at = class_end(pattern, at);
      if (at == std::string::npos) return fail(Code::InvalidArgument, "syntax error in pattern \"{}\"", line);
    }
    if (!pattern.empty()) out.add(pattern, include);
  }
  return out;
}

bool IgnoreList::ignores(std::string_view path) const {
  bool ignored = false;
  for (const Rule& rule : rules_) {
    if (rule.include != ignored) continue;  // it could not change the answer
    bool matched = matches_pattern(rule.pattern, path);
    for (size_t slash = path.find('/'); !matched && slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      matched = matches_pattern(rule.pattern, path.substr(0, slash));
    }
    if (matched) ignored = !rule.include;
  }
  return ignored;
}

bool IgnoreList::may_include_below(std::string_view directory) const {
  for (const Rule& rule : rules_) {
    if (!rule.include) continue;
    // The part of the pattern as deep as the directory must match it; "**" may be anywhere.
    if (rule.pattern.find("**") != std::string::npos) return true;
    auto wanted = split(rule.pattern, '/'), have = split(directory, '/');
    if (wanted.size() <= have.size()) continue;
    wanted.resize(have.size());
    if (matches_pattern(join(wanted, "/"), directory)) return true;
  }
  return false;
}

}  // namespace sampan::cli
