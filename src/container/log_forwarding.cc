#include "container/log_forwarding.h"

#include <algorithm>

#include "base/strings.h"
#include "codec/text.h"
#include "container/log_tag.h"
#include "logs/endpoint.h"

namespace sampan::container {

namespace {

using Options = std::map<std::string, std::string>;

std::string option(const Options& options, const char* name) {
  auto found = options.find(name);
  return found == options.end() ? "" : found->second;
}

// --- syslog ---------------------------------------------------------------------------------------------------------

Result<void> check_syslog(const Options& options) {
  (void)TRY(logs::parse_syslog_address(option(options, "syslog-address")));
  (void)TRY(logs::parse_syslog_facility(option(options, "syslog-facility")));
  std::string format = option(options, "syslog-format");
  if (format.empty() || format == "rfc3164" || format == "rfc5424" || format == "rfc5424micro") return {};
  return fail(Code::InvalidArgument, "Invalid syslog format");
}

// --- gelf -----------------------------------------------------------------------------------------------------------

Result<void> check_gelf_compression(const Options& options, const char* name, const std::string& scheme) {
  auto found = options.find(name);
  if (found == options.end()) return {};
  if (scheme != "udp") return fail(Code::InvalidArgument, "compression is only supported on UDP");
  const std::string& value = found->second;
  auto level = parse_int(value);
  bool known = std::string_view(name) == "gelf-compression-level"
                   ? level && *level >= -1 && *level <= 9
                   : value == "gzip" || value == "zlib" || value == "none";
  if (known) return {};
  return fail(Code::InvalidArgument, "unknown value \"{}\" for log opt \"{}\" for gelf log driver", value, name);
}

Result<void> check_gelf(const Options& options) {
  auto endpoint = TRY(logs::parse_gelf_address(option(options, "gelf-address")));
  for (const char* name : {"gelf-compression-level", "gelf-compression-type"})
    TRY(check_gelf_compression(options, name, endpoint.scheme));
  for (const char* name : {"gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"}) {
    auto found = options.find(name);
    if (found == options.end()) continue;
    if (endpoint.scheme != "tcp") return fail(Code::InvalidArgument, "\"{}\" is only valid for TCP", name);
    auto number = parse_uint(found->second);
    if (!number || *number > INT32_MAX) return fail(Code::InvalidArgument, "\"{}\" must be a positive integer", name);
  }
  return {};
}

// --- fluentd --------------------------------------------------------------------------------------------------------

Result<void> check_fluentd(const Options& options) {
  (void)TRY(logs::parse_fluentd_address(option(options, "fluentd-address")));
  if (auto wait = option(options, "fluentd-retry-wait"); !wait.empty()) (void)TRY(codec::parse_go_duration(wait));
  if (auto most = option(options, "fluentd-max-retries"); !most.empty() && !parse_uint(most))
    return fail(Code::InvalidArgument, "strconv.ParseUint: parsing \"{}\": invalid syntax", most);
  if (!option(options, "fluentd-async").empty() && !option(options, "fluentd-async-connect").empty())
    return fail(Code::InvalidArgument,
                "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect");
  for (const char* name :
       {"fluentd-async", "fluentd-async-connect", "fluentd-sub-second-precision", "fluentd-request-ack"}) {
    if (auto value = option(options, name); !value.empty()) (void)TRY(logs::parse_go_bool(value));
  }
  return {};
}

Result<void> check_journald(const Options&) {
  return {};
}

struct ForwardingDriver {
  std::string_view name;
  std::vector<std::string_view> options;  // beside those that all have
  Result<void> (*check)(const Options& options);
};

const ForwardingDriver* find_driver(std::string_view name) {
  static const ForwardingDriver kDrivers[] = {
      {"syslog",
       {"syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key",
        "syslog-tls-skip-verify"},
       check_syslog},
      {"gelf",
       {"gelf-address", "gelf-compression-level", "gelf-compression-type", "gelf-tcp-max-reconnect",
        "gelf-tcp-reconnect-delay"},
       check_gelf},
      {"fluentd",
       {"fluentd-address", "fluentd-async", "fluentd-async-connect", "fluentd-buffer-limit", "fluentd-max-retries",
        "fluentd-request-ack", "fluentd-retry-wait", "fluentd-sub-second-precision"},
       check_fluentd},
      {"journald", {}, check_journald},
  };
  for (const auto& driver : kDrivers) {
    if (driver.name == name) return &driver;
  }
  return nullptr;
}

/// mode, max-buffer-size, and fluentd's own name for a buffer. Docker has both buffers one behind the other; here they
/// are one of the larger size.
Result<void> take_mode(const Options& options, logs::Forwarding& out) {
  std::string mode = option(options, "mode"), size = option(options, "max-buffer-size");
  if (!mode.empty() && mode != "blocking" && mode != "non-blocking")
    return fail(Code::InvalidArgument, "logger: logging mode not supported: {}", mode);
  out.blocking = mode != "non-blocking";
  int64_t client_buffer = 0;
  if (auto limit = option(options, "fluentd-buffer-limit"); !limit.empty())
    client_buffer = out.buffer_bytes = TRY(codec::parse_size(limit));
  if (!options.contains("max-buffer-size")) return {};
  if (out.blocking)
    return fail(Code::InvalidArgument, "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  out.buffer_bytes =
      std::max(client_buffer, TRY_CONTEXT(codec::parse_size(size), "error parsing option max-buffer-size"));
  return {};
}

/// The copy is a `local` log with its defaults; cache-max-size and so on change them.
Result<void> take_copy(const Options& options, logs::WriterOptions& out) {
  out.max_file = 5;
  out.compress = true;
  if (auto value = option(options, "cache-disabled"); !value.empty() && !logs::parse_go_bool(value))
    return fail(Code::InvalidArgument, "invalid value for option cache-disabled: {}", value);
  if (auto size = option(options, "cache-max-size"); !size.empty())
    out.max_size = size == "-1" ? -1 : TRY(codec::parse_size(size));
  if (out.max_size == 0) return fail(Code::InvalidArgument, "max-size must be a positive number");
  if (auto text = option(options, "cache-max-file"); !text.empty()) {
    auto count = parse_uint(text);
    if (!count || *count == 0 || *count > 1000)
      return fail(Code::InvalidArgument, "max-file cannot be less than 1 or more than 1000");
    out.max_file = static_cast<int64_t>(*count);
  }
  if (auto compress = option(options, "cache-compress"); !compress.empty())
    out.compress = TRY(logs::parse_go_bool(compress));
  out.compress = out.compress && out.max_file > 1 && out.max_size > 0;
  return {};
}

bool is_common_option(std::string_view name) {
  for (std::string_view common :
       {"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress", "tag"}) {
    if (name == common) return true;
  }
  return false;
}

Result<void> check_names(const ContainerRecord& record, const ForwardingDriver& driver, logs::WriterOptions& out) {
  for (const auto& [name, value] : record.host_config.log_config.config) {
    if (is_common_option(name) || std::ranges::find(driver.options, name) != driver.options.end()) continue;
    if (TRY(take_attribute_option(record, name, value, out.attributes))) continue;
    if (driver.name == "gelf") return fail(Code::InvalidArgument, "unknown log opt \"{}\" for gelf log driver", name);
    return fail(Code::InvalidArgument, "unknown log opt '{}' for {} log driver", name, driver.name);
  }
  return {};
}

std::string command_of(const ContainerRecord& record) {
  std::string out = record.path;
  for (const auto& argument : record.args) out += " " + argument;
  return out;
}

}  // namespace

bool is_forwarding_driver(const std::string& driver) {
  return find_driver(driver) != nullptr;
}

bool keeps_log_copy(const ContainerRecord& record) {
  return !logs::parse_go_bool(option(record.host_config.log_config.config, "cache-disabled")).value_or(false);
}

Result<logs::WriterOptions> plan_forwarding(const ContainerRecord& record, const std::string& path) {
  const LogConfig& log = record.host_config.log_config;
  const ForwardingDriver* driver = find_driver(log.type);
  if (!driver) return fail(Code::NotImplemented, "logger: no log driver named '{}' is registered", log.type);
  logs::WriterOptions out{.driver = log.type, .path = keeps_log_copy(record) ? path : ""};
  logs::Forwarding& away = out.forwarding.emplace();
  TRY(take_mode(log.config, away));
  TRY(take_copy(log.config, out));
  TRY(check_names(record, *driver, out));
  TRY(driver->check(log.config));
  std::string tag = option(log.config, "tag");
  away.settings = log.config;
  away.settings["tag"] = TRY(format_log_tag(record, tag.empty() ? "{{.ID}}" : tag));
  away.settings["container_id"] = record.id;
  away.settings["container_name"] = record.name;
  away.settings["image_id"] = record.image_id;
  away.settings["image_name"] = record.config.image;
  away.settings["command"] = command_of(record);
  away.settings["created"] = record.created;
  return out;
}

}  // namespace sampan::container
