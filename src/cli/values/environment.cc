#include <stdlib.h>
#include <string.h>

#include "base/strings.h"
#include "cli/values/values.h"
#include "codec/json.h"
#include "sys/file.h"

namespace sampan::cli {

Error open_failure(const std::string& path, const Error& error) {
  return fail(error.code(), "open {}: {}", path, to_lower(::strerror(error.errno_value())));
}

std::optional<std::string> resolve_env(const std::string& text) {
  if (text.find('=') != std::string::npos) return text;
  const char* value = ::getenv(text.c_str());
  if (!value) return std::nullopt;
  return text + "=" + value;
}

Result<std::vector<std::string>> read_env_file(const std::string& path, bool with_environment) {
  auto content = sys::read_file(path);
  if (!content) return open_failure(path, content.error());
  std::vector<std::string> out;
  std::string_view text = *content;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (const std::string& raw : split(text, '\n')) {
    std::string_view line = raw;
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t' || line.front() == '\r'))
      line.remove_prefix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    auto pair = split_once(line, '=');
    std::string_view name = pair ? pair->first : line;
    if (name.empty()) return fail(Code::InvalidArgument, "no variable name on line '{}'", line);
    if (name.find_first_of(" \t") != std::string_view::npos) {
      return fail(Code::InvalidArgument, "variable '{}' contains whitespaces", name);
    }
    if (pair || !with_environment) {
      out.emplace_back(line);
    } else if (auto resolved = resolve_env(std::string(line))) {
      out.push_back(*resolved);
    }
  }
  return out;
}

Result<std::vector<std::string>> read_security_options(const std::vector<std::string>& options) {
  std::vector<std::string> out;
  for (const std::string& option : options) {
    size_t at = option.find_first_of("=:");
    std::string key = option.substr(0, at);
    if (at == std::string::npos) {
      if (option != "no-new-privileges") return fail(Code::InvalidArgument, "Invalid --security-opt: \"{}\"", option);
      out.push_back(option);
      continue;
    }
    std::string value = option.substr(at + 1);
    if (key == "seccomp" && value != "unconfined" && value != "builtin") {
      auto content = sys::read_file(value);
      if (!content) {
        return fail(Code::InvalidArgument, "opening seccomp profile ({}) failed: {}", value,
                    open_failure(value, content.error()).message());
      }
      auto profile = codec::parse_json(*content);
      if (!profile) {
        return fail(Code::InvalidArgument, "compacting json for seccomp profile ({}) failed: {}", value,
                    profile.error().message());
      }
      out.push_back("seccomp=" + codec::format_json(*profile));
      continue;
    }
    out.push_back(option);
  }
  return out;
}

}  // namespace sampan::cli
