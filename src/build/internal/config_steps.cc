// Instructions that change the configuration and no file.

#include <algorithm>

#include "base/strings.h"
#include "build/internal/execute.h"
#include "codec/json.h"
#include "codec/text.h"

namespace sampan::build {
namespace {

struct Step {
  const Instruction& instruction;
  char escape;
  const Lookup& lookup;
  oci::ImageConfig& config;

  Error bad(std::string_view what) const {
    return fail(Code::InvalidArgument, "dockerfile parse error line {}: {}", instruction.line, what);
  }
  Result<std::vector<std::string>> words() const {
    if (instruction.json) {
      std::vector<std::string> out;
      for (const auto& word : *instruction.json) out.push_back(TRY(expand_word(word, escape, lookup)));
      return out;
    }
    return expand_words(instruction.text, escape, lookup);
  }
  /// The command in exec form, or wrapped by the shell.
  std::vector<std::string> command() const {
    if (instruction.json) return *instruction.json;
    auto argv = config.shell.value_or(std::vector<std::string>{"/bin/sh", "-c"});
    argv.push_back(instruction.text);
    return argv;
  }
};

/// ["a","b"] as history shows it: ["a" "b"].
std::string format_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1) out += ' ';
    out += codec::to_json(item);
  }
  return out + "]";
}

Result<std::string> apply_cmd(Step s) {
  s.config.cmd = s.command();
  return "CMD " + format_list(*s.config.cmd);
}

Result<std::string> apply_entrypoint(Step s) {
  s.config.entrypoint = s.command();
  s.config.cmd.reset();  // an inherited command belonged to the old entrypoint
  return "ENTRYPOINT " + format_list(*s.config.entrypoint);
}

/// "k=v k2=v2", or the old "k v".
Result<std::vector<std::pair<std::string, std::string>>> key_values(Step s) {
  std::vector<std::pair<std::string, std::string>> out;
  auto words = split_words(s.instruction.text, s.escape);
  if (words.empty()) return s.bad(s.instruction.name + " requires at least one argument");
  if (words[0].find('=') == std::string::npos) {
    size_t space = s.instruction.text.find_first_of(" \t");
    if (space == std::string::npos) return s.bad(s.instruction.name + " must have two arguments");
    out.emplace_back(words[0], TRY(expand_word(trim(s.instruction.text.substr(space)), s.escape, s.lookup)));
    return out;
  }
  for (const auto& word : words) {
    auto parts = split_once(word, '=');
    if (!parts || parts->first.empty()) {
      return s.bad(fmt::format("Syntax error - can't find = in \"{}\". Must be of the form: name=value", word));
    }
    out.emplace_back(TRY(expand_word(parts->first, s.escape, s.lookup)),
                     TRY(expand_word(parts->second, s.escape, s.lookup)));
  }
  return out;
}

Result<std::string> apply_env(Step s) {
  std::string shown = "ENV";
  for (const auto& [key, value] : TRY(key_values(s))) {
    std::erase_if(s.config.env, [&](const std::string& old) { return old.starts_with(key + "="); });
    s.config.env.push_back(key + "=" + value);
    shown += " " + key + "=" + value;
  }
  return shown;
}

Result<std::string> apply_label(Step s) {
  std::string shown = "LABEL";
  for (const auto& [key, value] : TRY(key_values(s))) {
    s.config.labels[key] = value;
    shown += " " + key + "=" + value;
  }
  return shown;
}

Result<std::string> apply_expose(Step s) {
  std::string shown = "EXPOSE";
  for (const auto& word : TRY(s.words())) {
    auto parts = split_once(word, '/');
    std::string protocol = parts ? to_lower(parts->second) : "tcp";
    if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") return s.bad("invalid proto: " + protocol);
    std::string ports(parts ? parts->first : std::string_view(word));
    auto range = split_once(ports, '-');
    auto first = parse_uint(range ? range->first : std::string_view(ports));
    auto last = range ? parse_uint(range->second) : first;
    if (!first || !last || *first == 0 || *last > 65535 || *last < *first)
      return s.bad("invalid containerPort: " + word);
    for (uint64_t port = *first; port <= *last; ++port)
      s.config.exposed_ports.insert(fmt::format("{}/{}", port, protocol));
    shown += " " + word;
  }
  return shown;
}

Result<std::string> apply_volume(Step s) {
  auto words = TRY(s.words());
  for (const auto& path : words) {
    if (trim(path).empty()) return s.bad("VOLUME specified can not be an empty string");
    s.config.volumes.insert(path);
  }
  return "VOLUME " + format_list(words);
}

Result<std::string> apply_user(Step s) {
  s.config.user = TRY(expand_word(s.instruction.text, s.escape, s.lookup));
  return "USER " + s.config.user;
}

Result<std::string> apply_stopsignal(Step s) {
  s.config.stop_signal = TRY(expand_word(s.instruction.text, s.escape, s.lookup));
  return "STOPSIGNAL " + s.config.stop_signal;
}

Result<std::string> apply_shell(Step s) {
  if (!s.instruction.json || s.instruction.json->empty())
    return s.bad("SHELL requires the arguments to be in JSON form");
  s.config.shell = *s.instruction.json;
  return "SHELL " + format_list(*s.config.shell);
}

Result<std::string> apply_maintainer(Step s) {
  return "MAINTAINER " + s.instruction.text;
}

Result<std::string> apply_onbuild(Step s) {
  auto trigger = TRY(parse_instruction(s.instruction.text, s.instruction.line));
  if (trigger.name == "ONBUILD") return s.bad("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger.name == "FROM" || trigger.name == "MAINTAINER")
    return s.bad(trigger.name + " isn't allowed as an ONBUILD trigger");
  s.config.on_build.push_back(s.instruction.text);
  return "ONBUILD " + s.instruction.text;
}

Result<std::string> apply_healthcheck(Step s) {
  auto command = TRY(
      parse_instruction("CMD " + s.instruction.text.substr(s.instruction.text.find_first_of(" \t") == std::string::npos
                                                               ? s.instruction.text.size()
                                                               : s.instruction.text.find_first_of(" \t")),
                        s.instruction.line));
  std::string kind = to_upper(std::string_view(s.instruction.text).substr(0, s.instruction.text.find_first_of(" \t")));
  oci::HealthConfig health;
  if (kind == "NONE") {
    health.test = {"NONE"};
    s.config.healthcheck = health;
    return "HEALTHCHECK NONE";
  }
  if (kind != "CMD") return s.bad("Unknown type \"" + kind + "\" in HEALTHCHECK (try CMD)");
  if (command.text.empty()) return s.bad("Missing command after HEALTHCHECK CMD");
  if (command.json) {
    health.test = {"CMD"};
    health.test.insert(health.test.end(), command.json->begin(), command.json->end());
  } else {
    health.test = {"CMD-SHELL", command.text};
  }
  for (const auto& flag : s.instruction.flags) {
    if (flag.name == "retries") {
      auto count = parse_uint(flag.value);
      if (!count || *count == 0) return s.bad("--retries must be at least 1 (not " + flag.value + ")");
      health.retries = static_cast<int64_t>(*count);
      continue;
    }
    int64_t* slot = flag.name == "interval"         ? &health.interval
                    : flag.name == "timeout"        ? &health.timeout
                    : flag.name == "start-period"   ? &health.start_period
                    : flag.name == "start-interval" ? &health.start_interval
                                                    : nullptr;
    if (!slot) return s.bad("unknown flag: --" + flag.name);
    *slot = TRY(codec::parse_go_duration(flag.value));
  }
  s.config.healthcheck = health;
  return "HEALTHCHECK " + format_list(health.test);
}

struct Row {
  std::string_view name;
  Result<std::string> (*apply)(Step);
};
constexpr Row kRows[] = {{"CMD", apply_cmd},         {"ENTRYPOINT", apply_entrypoint},
                         {"ENV", apply_env},         {"LABEL", apply_label},
                         {"EXPOSE", apply_expose},   {"VOLUME", apply_volume},
                         {"USER", apply_user},       {"STOPSIGNAL", apply_stopsignal},
                         {"SHELL", apply_shell},     {"MAINTAINER", apply_maintainer},
                         {"ONBUILD", apply_onbuild}, {"HEALTHCHECK", apply_healthcheck}};

}  // namespace

Result<std::string> apply_config(const Instruction& step, char escape, const Lookup& lookup, oci::ImageConfig& config) {
  for (const auto& row : kRows) {
    if (row.name != step.name) continue;
    if (step.name != "HEALTHCHECK" && !step.flags.empty()) {
      return fail(Code::InvalidArgument, "dockerfile parse error line {}: unknown flag: --{}", step.line,
                  step.flags[0].name);
    }
    return row.apply(Step{step, escape, lookup, config});
  }
  return fail(Code::InvalidArgument, "dockerfile parse error line {}: unknown instruction: {}", step.line, step.name);
}

}  // namespace sampan::build
