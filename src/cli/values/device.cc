#include "base/strings.h"
#include "cli/values/values.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

bool is_device_mode(std::string_view mode) {
  if (mode.empty() || mode.size() > 3) return false;
  for (size_t i = 0; i < mode.size(); ++i) {
    if (std::string_view("rwm").find(mode[i]) == std::string_view::npos) return false;
    if (mode.find(mode[i], i + 1) != std::string_view::npos) return false;
  }
  return true;
}

// "path:value" of the block device flags.
Result<std::pair<std::string, std::string>> split_device(const std::string& text) {
  auto pair = split_once(text, ':');
  if (!pair || pair->first.empty() || pair->second.empty()) return fail(Code::InvalidArgument, "bad format: {}", text);
  if (!pair->first.starts_with("/dev/")) return fail(Code::InvalidArgument, "bad format for device path: {}", text);
  return std::pair(std::string(pair->first), std::string(pair->second));
}

// A CDI name, "vendor.com/class=device".
bool is_cdi_name(std::string_view text) {
  auto pair = split_once(text, '=');
  return pair && !text.starts_with('/') && pair->first.find('/') != std::string_view::npos && !pair->second.empty();
}

}  // namespace

Result<json::value> parse_ulimit(const std::string& text) {
  static constexpr std::string_view kNames[] = {"core",    "cpu",      "data",   "fsize",      "locks",
                                                "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                                "rss",     "rtprio",   "rttime", "sigpending", "stack"};
  auto pair = split_once(text, '=');
  if (!pair) return fail(Code::InvalidArgument, "invalid ulimit argument: {}", text);
  if (std::ranges::find(kNames, pair->first) == std::end(kNames)) {
    return fail(Code::InvalidArgument, "invalid ulimit type: {}", pair->first);
  }
  auto limits = split(pair->second, ':');
  if (limits.size() > 2)
    return fail(Code::InvalidArgument, "too many limit value arguments - {}, can only have up to two, `soft[:hard]`",
                pair->second);
  int64_t soft = TRY(parse_integer(limits[0]));
  int64_t hard = limits.size() == 2 ? TRY(parse_integer(limits[1])) : soft;
  if (hard != -1 && (soft == -1 || soft > hard)) {
    return fail(Code::InvalidArgument, "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                soft == -1 ? "unlimited (-1)" : std::to_string(soft), hard);
  }
  return json::object{{"Name", pair->first}, {"Hard", hard}, {"Soft", soft}};
}

Result<json::value> parse_device(const std::string& text) {
  auto parts = split(text, ':');
  std::string source = parts[0], target, mode = "rwm";
  if (parts.size() > 3 || source.empty()) {
    return fail(Code::InvalidArgument, "invalid device specification: {}", text);
  }
  if (parts.size() == 3) mode = parts[2];
  if (parts.size() >= 2) {
    if (parts.size() == 2 && is_device_mode(parts[1])) {
      mode = parts[1];
    } else {
      target = parts[1];
    }
  }
  if (target.empty()) target = source;
  if (!is_device_mode(mode)) return fail(Code::InvalidArgument, "bad mode specified: {}", mode);
  if (target[0] != '/' && !is_cdi_name(text)) return fail(Code::InvalidArgument, "{} is not an absolute path", target);
  return json::object{{"PathOnHost", source}, {"PathInContainer", target}, {"CgroupPermissions", mode}};
}

Result<json::value> parse_device_rate(const std::string& text) {
  auto [path, value] = TRY(split_device(text));
  auto rate = parse_bytes(value);
  if (!rate) {
    return fail(Code::InvalidArgument,
                "invalid rate for device: {}. The correct format is <device-path>:<number>[<unit>]. Number must be a "
                "positive integer. Unit is optional and can be kb, mb, or gb",
                text);
  }
  return json::object{{"Path", path}, {"Rate", *rate}};
}

Result<json::value> parse_device_iops(const std::string& text) {
  auto [path, value] = TRY(split_device(text));
  auto rate = parse_unsigned(value);
  if (!rate) {
    return fail(Code::InvalidArgument,
                "invalid rate for device: {}. The correct format is <device-path>:<number>. Number must be a positive "
                "integer",
                text);
  }
  return json::object{{"Path", path}, {"Rate", *rate}};
}

Result<json::value> parse_device_weight(const std::string& text) {
  auto [path, value] = TRY(split_device(text));
  auto weight = parse_unsigned(value, 16);
  if (!weight || (*weight > 0 && (*weight < 10 || *weight > 1000))) {
    return fail(Code::InvalidArgument, "invalid weight for device: {}", text);
  }
  return json::object{{"Path", path}, {"Weight", *weight}};
}

Result<json::value> parse_gpus(const std::string& text) {
  json::object request{{"Driver", ""}, {"Count", 0}, {"DeviceIDs", nullptr}, {"Options", json::object()}};
  json::array capabilities{"gpu"};
  bool counted = false;
  for (const std::string& field : split(text, ',')) {
    auto pair = split_once(field, '=');
    std::string key(pair ? pair->first : "count");
    std::string value(pair ? pair->second : std::string_view(field));
    if (key == "count") {
      auto count = parse_integer(value);
      if (value != "all" && !count) {
        return fail(Code::InvalidArgument,
                    "invalid count ({}): value must be either \"all\" or an integer: invalid syntax", value);
      }
      request["Count"] = value == "all" ? -1 : *count;
      counted = true;
    } else if (key == "device") {
      request["DeviceIDs"] = json::array{value};
      counted = true;
    } else if (key == "driver") {
      request["Driver"] = value;
    } else if (key == "capabilities") {
      capabilities.emplace_back(value);
    } else {
      return fail(Code::InvalidArgument, "unexpected key '{}' in '{}'", key, field);
    }
  }
  if (!counted) request["Count"] = 1;
  json::array alternatives;
  alternatives.emplace_back(capabilities);
  request["Capabilities"] = alternatives;
  return request;
}

bool is_device_rule(std::string_view text) {
  auto parts = split(text, ' ');
  if (parts.size() != 3 || parts[0].size() != 1 ||
      std::string_view("acb").find(parts[0][0]) == std::string_view::npos) {
    return false;
  }
  auto numbers = split_once(parts[1], ':');
  auto is_number = [](std::string_view word) { return word == "*" || parse_uint(word); };
  return numbers && is_number(numbers->first) && is_number(numbers->second) && !parts[2].empty() &&
         parts[2].size() <= 3 && parts[2].find_first_not_of("rwm") == std::string::npos;
}

Result<std::pair<std::string, std::string>> parse_sysctl(const std::string& text) {
  static constexpr std::string_view kAllowed[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                                  "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                                  "kernel.shmmni", "kernel.shm_rmid_forced"};
  auto pair = split_once(text, '=');
  bool allowed = pair && (pair->first.starts_with("net.") || pair->first.starts_with("fs.mqueue.") ||
                          std::ranges::find(kAllowed, pair->first) != std::end(kAllowed));
  if (!allowed) return fail(Code::InvalidArgument, "sysctl '{}' is not allowed", text);
  return std::pair(std::string(pair->first), std::string(pair->second));
}

}  // namespace sampan::cli
