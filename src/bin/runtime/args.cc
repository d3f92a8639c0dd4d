#include "bin/runtime/args.h"

#include "base/strings.h"

namespace sampan::bin {
namespace {

const Flag* find_flag(std::span<const Flag> flags, std::string_view name) {
  for (const auto& flag : flags)
    if (flag.name == name || (!flag.short_name.empty() && flag.short_name == name)) return &flag;
  return nullptr;
}

}  // namespace

Result<Args> Args::parse(std::span<const Flag> flags, std::span<const std::string> words) {
  Args args;
  size_t i = 0;
  for (; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "--") {
      ++i;
      break;
    }
    if (word.size() < 2 || word[0] != '-') break;
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    auto pair = split_once(word, '=');
    std::string_view name = pair ? pair->first : word;
    const Flag* flag = find_flag(flags, name);
    if (!flag && (name == "help" || name == "h")) {
      args.values_["help"] = {"true"};
      continue;
    }
    if (!flag) return fail(Code::InvalidArgument, "flag provided but not defined: -{}", name);
    std::string value = pair ? std::string(pair->second) : "true";
    if (!pair && flag->takes == Takes::Value) {
      if (++i == words.size()) return fail(Code::InvalidArgument, "flag needs an argument: -{}", name);
      value = words[i];
    }
    if (flag->takes == Takes::Nothing && value == "false") continue;
    args.values_[std::string(flag->name)].push_back(std::move(value));
  }
  args.rest_.assign(words.begin() + static_cast<ptrdiff_t>(i), words.end());
  return args;
}

std::string Args::get(std::string_view name, std::string_view otherwise) const {
  auto found = values_.find(std::string(name));
  return found == values_.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Args::all(std::string_view name) const {
  auto found = values_.find(std::string(name));
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

Result<std::optional<int64_t>> Args::number(std::string_view name) const {
  if (!has(name)) return std::optional<int64_t>();
  auto value = parse_int(get(name));
  if (!value) return fail(Code::InvalidArgument, "invalid value \"{}\" for flag -{}: parse error", get(name), name);
  return value;
}

std::string format_flags(std::span<const Flag> flags) {
  std::string text;
  for (const auto& flag : flags) {
    std::string names = fmt::format("--{}", flag.name);
    if (!flag.short_name.empty()) names += fmt::format(", -{}", flag.short_name);
    if (flag.takes == Takes::Value) names += " value";
    text += fmt::format("   {:<32} {}\n", names, flag.help);
  }
  return text;
}

}  // namespace sampan::bin
