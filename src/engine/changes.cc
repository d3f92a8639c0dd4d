#include "engine/changes.h"

#include <algorithm>

#include "base/strings.h"
#include "codec/json.h"
#include "codec/text.h"

namespace sampan::engine {

namespace {

/// Words as a shell splits them: blanks outside quotes, backslash escapes.
Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
      in_word = true;
    } else if (quote) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t') {
      if (in_word) out.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote) return fail(Code::InvalidArgument, "unexpected end of statement while looking for matching {}", quote);
  if (in_word) out.push_back(std::move(word));
  return out;
}

/// A JSON list, or a line for the shell.
std::vector<std::string> command_of(const std::string& arguments, const oci::ImageConfig& config) {
  if (arguments.starts_with('[')) {
    if (auto list = codec::from_json<std::vector<std::string>>(arguments)) return std::move(*list);
  }
  std::vector<std::string> out = config.shell ? *config.shell : std::vector<std::string>{"/bin/sh", "-c"};
  out.push_back(arguments);
  return out;
}

/// "k=v ..." or the old "k v".
Result<std::vector<std::pair<std::string, std::string>>> pairs_of(const std::string& arguments) {
  std::vector<std::pair<std::string, std::string>> out;
  auto words = TRY(split_words(arguments));
  if (words.empty()) return fail(Code::InvalidArgument, "at least one argument is required");
  if (words[0].find('=') == std::string::npos) {
    auto parts = split_once(arguments, ' ');
    if (!parts) return fail(Code::InvalidArgument, "must have two arguments");
    out.emplace_back(parts->first, trim(parts->second));
    return out;
  }
  for (const auto& word : words) {
    auto parts = split_once(word, '=');
    if (!parts || parts->first.empty())
      return fail(Code::InvalidArgument, "syntax error: \"{}\" must be name=value", word);
    out.emplace_back(parts->first, parts->second);
  }
  return out;
}

Result<void> apply_env(const std::string& arguments, oci::ImageConfig& config) {
  for (auto& [name, value] : TRY(pairs_of(arguments))) {
    std::string prefix = name + "=";
    std::erase_if(config.env, [&](const std::string& own) { return own.starts_with(prefix); });
    config.env.push_back(prefix + value);
  }
  return {};
}

/// One of "--interval=30s", "--retries=3", ... before the kind.
Result<void> apply_health_flag(std::string_view flag, oci::HealthConfig& health) {
  auto parts = split_once(flag, '=');
  if (!parts) return fail(Code::InvalidArgument, "HEALTHCHECK flag {} has no value", flag);
  auto [name, value] = *parts;
  if (name == "--retries") {
    auto count = parse_uint(value);
    if (!count || *count > INT32_MAX) return fail(Code::InvalidArgument, "HEALTHCHECK --retries: \"{}\"", value);
    health.retries = static_cast<int64_t>(*count);
    return {};
  }
  auto duration = codec::parse_go_duration(value);
  if (!duration || *duration < 0) return fail(Code::InvalidArgument, "invalid duration \"{}\" for {}", value, name);
  if (name == "--interval")
    health.interval = *duration;
  else if (name == "--timeout")
    health.timeout = *duration;
  else if (name == "--start-period")
    health.start_period = *duration;
  else if (name == "--start-interval")
    health.start_interval = *duration;
  else
    return fail(Code::InvalidArgument, "unknown flag: {}", name);
  return {};
}

Result<void> apply_health(const std::string& arguments, oci::ImageConfig& config) {
  oci::HealthConfig health;
  std::string_view rest = trim(arguments);
  while (rest.starts_with("--")) {
    size_t blank = std::min(rest.find_first_of(" \t"), rest.size());
    TRY(apply_health_flag(rest.substr(0, blank), health));
    rest = trim(rest.substr(blank));
  }
  auto parts = split_once(rest, ' ');
  std::string kind = to_upper(parts ? parts->first : rest);
  if (kind == "NONE" && !parts) {
    health.test = {"NONE"};
  } else if (kind == "CMD" && parts) {
    std::string line(trim(parts->second));
    health.test = {"CMD-SHELL", line};
    if (line.starts_with('[')) {
      if (auto list = codec::from_json<std::vector<std::string>>(line)) {
        health.test = {"CMD"};
        health.test.insert(health.test.end(), list->begin(), list->end());
      }
    }
  } else {
    return fail(Code::InvalidArgument, "HEALTHCHECK must be NONE or CMD");
  }
  config.healthcheck = std::move(health);
  return {};
}

Result<void> add_words(const std::string& arguments, std::set<std::string>& out, bool ports) {
  std::vector<std::string> words;
  if (arguments.starts_with('['))
    words = TRY(codec::from_json<std::vector<std::string>>(arguments));
  else
    words = TRY(split_words(arguments));
  for (auto& word : words) out.insert(ports && word.find('/') == std::string::npos ? word + "/tcp" : word);
  return {};
}

Result<void> apply_one(const std::string& verb, const std::string& arguments, oci::ImageConfig& config) {
  if (arguments.empty()) return fail(Code::InvalidArgument, "requires an argument");
  if (verb == "ENV") return apply_env(arguments, config);
  if (verb == "HEALTHCHECK") return apply_health(arguments, config);
  if (verb == "EXPOSE") return add_words(arguments, config.exposed_ports, true);
  if (verb == "VOLUME") return add_words(arguments, config.volumes, false);
  if (verb == "CMD")
    config.cmd = command_of(arguments, config);
  else if (verb == "ENTRYPOINT")
    config.entrypoint = command_of(arguments, config);
  else if (verb == "USER")
    config.user = arguments;
  else if (verb == "STOPSIGNAL")
    config.stop_signal = arguments;
  else if (verb == "SHELL")
    config.shell = TRY(codec::from_json<std::vector<std::string>>(arguments));
  else if (verb == "ONBUILD")
    config.on_build.push_back(arguments);
  else if (verb == "WORKDIR")
    config.working_dir = arguments.starts_with('/') ? arguments : config.working_dir + "/" + arguments;
  else if (verb == "LABEL") {
    for (auto& [name, value] : TRY(pairs_of(arguments))) config.labels[name] = value;
  } else {
    return fail(Code::InvalidArgument, "{} is not a valid change command", to_lower(verb));
  }
  return {};
}

}  // namespace

Result<void> apply_changes(const std::vector<std::string>& changes, oci::ImageConfig& config) {
  for (const auto& change : changes) {
    for (const auto& raw : split(change, '\n')) {
      std::string line(trim(raw));
      if (line.empty()) continue;
      size_t space = line.find_first_of(" \t");
      std::string verb = to_upper(line.substr(0, space));
      std::string arguments(space == std::string::npos ? std::string_view()
                                                       : trim(std::string_view(line).substr(space)));
      TRY(apply_one(verb, arguments, config));
    }
  }
  return {};
}

}  // namespace sampan::engine
