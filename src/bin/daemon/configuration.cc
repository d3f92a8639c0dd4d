// Two sources, one meaning: unknown keys and what is said twice are found before any value is looked at.
#include "daemon/configuration.h"

#include <algorithm>

#include "base/strings.h"
#include "daemon/assign.h"
#include "sys/file.h"

namespace sampan::daemon {

namespace json = codec::json;

namespace {

constexpr size_t kLargestFile = 1 << 20;

using FileValues = std::map<std::string, json::value>;

/// A group like "proxies" is written as an object; its members count as keys.
Result<FileValues> read_keys(std::string_view text) {
  FileValues out;
  if (trim(text).empty()) return out;
  auto value = TRY(codec::parse_json(text));
  const auto* object = value.if_object();
  if (!object) return fail(Code::InvalidArgument, "invalid JSON: the configuration must be an object");
  for (const auto& item : *object) {
    std::string key(item.key());
    const auto* group = item.value().if_object();
    if (!group || find_directive(key)) {
      out[key] = item.value();
      continue;
    }
    for (const auto& inner : *group) out[std::string(inner.key())] = inner.value();
  }
  return out;
}

Result<void> check_known(const FileValues& values) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : values) {
    if (!find_directive(key)) unknown.push_back(key);
  }
  if (unknown.empty()) return {};
  return fail(Code::InvalidArgument, "the following directives don't match any configuration option: {}",
              join(unknown, ", "));
}

bool is_list(const Directive& row) {
  return !(std::holds_alternative<bool Settings::*>(row.member) ||
           std::holds_alternative<int64_t Settings::*>(row.member) ||
           std::holds_alternative<std::string Settings::*>(row.member) ||
           std::holds_alternative<ByteSize Settings::*>(row.member));
}

/// An address with a password in it is not for the log.
std::string mask(std::string_view key, std::string text) {
  size_t at = text.rfind('@'), scheme = text.find("://");
  if (!key.ends_with("-proxy") || at == std::string::npos) return text;
  size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  return text.substr(0, begin) + "xxxxx:xxxxx" + text.substr(at);
}

Result<void> check_said_once(const Flags& flags, const FileValues& values) {
  std::vector<std::string> conflicts;
  for (const auto& [key, words] : flags) {
    auto found = values.find(key);
    const Directive* row = find_directive(key);
    if (found == values.end() || !row) continue;
    std::string said = is_list(*row) ? "[" + join(words, " ") + "]" : words.back();
    conflicts.push_back(fmt::format("{}: (from flag: {}, from file: {})", key, mask(key, said),
                                    mask(key, format_plain(found->second))));
  }
  if (conflicts.empty()) return {};
  return fail(Code::InvalidArgument,
              "the following directives are specified both as a flag and in the configuration file: {}",
              join(conflicts, ", "));
}

}  // namespace

Result<Settings> merge_settings(const Flags& flags, std::string_view file_text) {
  auto values = TRY(read_keys(file_text));
  TRY(check_known(values));
  TRY(check_said_once(flags, values));
  Settings out;
  for (const auto& row : directives()) {
    if (auto said = flags.find(row.key); said != flags.end()) TRY(assign_words(row, said->second, out));
    if (auto written = values.find(row.key); written != values.end()) TRY(assign_json(row, written->second, out));
  }
  TRY(validate_settings(out));
  return out;
}

Result<Settings> load_settings(const Flags& flags, const std::string& path, bool path_given) {
  std::string text;
  auto read = sys::read_file(path, kLargestFile);
  if (read) {
    text = std::move(*read);
  } else if (path_given || read.error().code() != Code::NotFound) {
    return std::move(read).error().context("unable to configure the daemon with file " + path);
  }
  auto merged = merge_settings(flags, text);
  if (merged || text.empty()) return merged;
  return std::move(merged).error().context("unable to configure the daemon with file " + path);
}

Settings apply_reload(const Settings& now, const Settings& wanted) {
  Settings out = now;
  for (const auto& row : directives()) {
    if (row.reload == Reload::No) continue;
    std::visit(
        [&](auto member) {
          if constexpr (!std::is_same_v<decltype(member), std::monostate>) out.*member = wanted.*member;
        },
        row.member);
  }
  return out;
}

std::map<std::string, std::string> reload_attributes(const Settings& settings) {
  std::map<std::string, std::string> out;
  for (const auto& row : directives()) {
    if (row.reload == Reload::No) continue;
    std::visit(
        [&](auto member) {
          using M = decltype(member);
          if constexpr (std::is_same_v<M, Texts Settings::*>) {
            out[row.key] = codec::to_json(settings.*member);
          } else if constexpr (std::is_same_v<M, bool Settings::*> || std::is_same_v<M, int64_t Settings::*> ||
                               std::is_same_v<M, std::string Settings::*>) {
            out[row.key] = format_plain(codec::write_json(settings.*member));
          } else if constexpr (std::is_same_v<M, SwitchMap Settings::*>) {
            out[row.key] = format_plain(codec::write_json(settings.*member));
          }
        },
        row.member);
  }
  return out;
}

}  // namespace sampan::daemon
