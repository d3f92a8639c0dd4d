// From HostConfig.LogConfig to the writer's options: one row for each option of each driver.

#include <re2/re2.h>

#include "base/strings.h"
#include "codec/text.h"
#include "container/log_forwarding.h"
#include "container/log_tag.h"
#include "container/plan.h"
#include "logs/endpoint.h"

namespace sampan::container {
namespace {

using Attributes = std::map<std::string, std::string>;

Result<std::unique_ptr<re2::RE2>> parse_regex(const std::string& text) {
  auto regex = std::make_unique<re2::RE2>(text, re2::RE2::Quiet);
  if (!regex->ok()) return fail(Code::InvalidArgument, "error parsing regexp: {}: `{}`", regex->error(), text);
  return regex;
}

Attributes environment_of(const ContainerRecord& record) {
  Attributes out;
  for (const auto& variable : record.config.env) {
    if (auto parts = split_once(variable, '=')) out[std::string(parts->first)] = parts->second;
  }
  return out;
}

/// The members of `from` that the list or the pattern names.
Result<void> add_attributes(const Attributes& from, const std::string& value, bool is_regex, Attributes& out) {
  if (value.empty()) return {};
  if (is_regex) {
    auto regex = TRY(parse_regex(value));
    for (const auto& [key, text] : from) {
      if (re2::RE2::PartialMatch(key, *regex)) out[key] = text;
    }
    return {};
  }
  for (const auto& name : split(value, ',')) {
    if (auto found = from.find(std::string(name)); found != from.end()) out[found->first] = found->second;
  }
  return {};
}

/// What options know of each other; they come in the order of their names.
struct Draft {
  const ContainerRecord& record;
  logs::WriterOptions out;
  bool compress_asked = false;
  std::string mode;
  bool has_buffer_size = false;
};

Result<void> take_max_size(Draft& draft, const std::string& value) {
  draft.out.max_size = value == "-1" ? -1 : TRY(codec::parse_size(value));
  if (draft.out.max_size == 0) return fail(Code::InvalidArgument, "max-size must be a positive number");
  return {};
}

Result<void> take_max_file(Draft& draft, const std::string& value) {
  auto count = parse_uint(value);
  if (!count || *count == 0 || *count > 1000) {
    return fail(Code::InvalidArgument, "max-file cannot be less than 1 or more than 1000");
  }
  draft.out.max_file = static_cast<int64_t>(*count);
  return {};
}

Result<void> take_compress(Draft& draft, const std::string& value) {
  draft.out.compress = TRY(logs::parse_go_bool(value));
  draft.compress_asked = draft.out.compress;
  return {};
}

Result<void> take_mode(Draft& draft, const std::string& value) {
  draft.mode = value;
  if (value == "blocking" || value == "non-blocking" || value.empty()) return {};
  return fail(Code::InvalidArgument, "logger: logging mode not supported: {}", value);
}

Result<void> take_max_buffer_size(Draft& draft, const std::string& value) {
  draft.has_buffer_size = true;
  (void)TRY_CONTEXT(codec::parse_size(value), "error parsing option max-buffer-size");
  return {};
}

Result<void> take_tag(Draft& draft, const std::string& value) {
  if (!value.empty()) draft.out.attributes["tag"] = TRY(format_log_tag(draft.record, value));
  return {};
}

struct LogOption {
  std::string_view name;
  Result<void> (*take)(Draft& draft, const std::string& value);
};

// Both drivers of files have all of them. A write to a file waits for no server, so the mode changes nothing for them.
constexpr LogOption kFileOptions[] = {
    {"compress", take_compress}, {"max-buffer-size", take_max_buffer_size},
    {"max-file", take_max_file}, {"max-size", take_max_size},
    {"mode", take_mode},         {"tag", take_tag},
};

Error unknown_option(const std::string& driver, const std::string& name) {
  if (driver == "local") return fail(Code::InvalidArgument, "unknown log opt '{}' for log driver local", name);
  return fail(Code::InvalidArgument, "unknown log opt '{}' for {} log driver", name, driver);
}

Result<void> take_option(Draft& draft, const std::string& name, const std::string& value) {
  for (const auto& option : kFileOptions) {
    if (option.name == name) return option.take(draft, value);
  }
  if (TRY(take_attribute_option(draft.record, name, value, draft.out.attributes))) return {};
  return unknown_option(draft.out.driver, name);
}

Result<void> check_together(Draft& draft) {
  if (draft.has_buffer_size && draft.mode != "non-blocking") {
    return fail(Code::InvalidArgument, "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  bool can_compress = draft.out.max_file > 1 && draft.out.max_size > 0;
  if (draft.compress_asked && !can_compress) {
    return fail(Code::InvalidArgument, "compress cannot be true when max-file is less than 2 or max-size is not set");
  }
  draft.out.compress = draft.out.compress && can_compress;
  return {};
}

}  // namespace

Result<bool> take_attribute_option(const ContainerRecord& record, const std::string& name, const std::string& value,
                                   Attributes& out) {
  bool is_regex = name.ends_with("-regex");
  std::string source = is_regex ? name.substr(0, name.rfind('-')) : name;
  if (source == "env")
    TRY(add_attributes(environment_of(record), value, is_regex, out));
  else if (source == "labels")
    TRY(add_attributes(record.config.labels, value, is_regex, out));
  else
    return false;
  return true;
}

std::string log_file(const ContainerRecord& record) {
  const std::string& driver = record.host_config.log_config.type;
  std::string directory = record.hostname_path.substr(0, record.hostname_path.rfind('/') + 1) + "log/";
  if (driver == "local") return directory + "container.log";
  if (!is_forwarding_driver(driver)) return record.log_path;
  return keeps_log_copy(record) ? directory + "container-cached.log" : "";
}

Result<logs::WriterOptions> plan_log(const ContainerRecord& record, const std::string& path) {
  const LogConfig& log = record.host_config.log_config;
  if (is_forwarding_driver(log.type)) return plan_forwarding(record, path);
  Draft draft{.record = record, .out = {.driver = log.type.empty() ? "json-file" : log.type, .path = path}};
  if (draft.out.driver == "local") {  // Docker's defaults for it
    draft.out.max_file = 5;
    draft.out.compress = true;
  } else if (draft.out.driver != "json-file" && draft.out.driver != "none") {
    return fail(Code::NotImplemented, "logger: no log driver named '{}' is registered", draft.out.driver);
  }
  for (const auto& [name, value] : log.config) {
    if (draft.out.driver == "none") return unknown_option("none", name);
    TRY(take_option(draft, name, value));
  }
  TRY(check_together(draft));
  return std::move(draft.out);
}

}  // namespace sampan::container
