#include "base/strings.h"
#include "codec/text.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

/// "labels" and "env" options: the named ones become attributes of every line.
void add_attributes(const ContainerRecord& record, const std::string& option, const std::string& value,
                    std::map<std::string, std::string>& attributes) {
  for (const auto& name : split(value, ',')) {
    if (option == "labels") {
      if (auto label = record.config.labels.find(name); label != record.config.labels.end()) {
        attributes[name] = label->second;
      }
      continue;
    }
    for (const auto& variable : record.config.env) {
      auto parts = split_once(variable, '=');
      if (parts && parts->first == name) attributes[name] = parts->second;
    }
  }
}

}  // namespace

Result<logs::WriterOptions> plan_log(const ContainerRecord& record, const std::string& path) {
  const LogConfig& log = record.host_config.log_config;
  logs::WriterOptions out;
  out.path = path;
  out.driver = log.type.empty() ? "json-file" : log.type;
  if (out.driver != "json-file" && out.driver != "none") {
    return fail(Code::NotImplemented, "logger: no log driver named '{}' is registered", out.driver);
  }
  for (const auto& [name, value] : log.config) {
    if (out.driver == "none") return fail(Code::InvalidArgument, "unknown log opt '{}' for none log driver", name);
    if (name == "max-size") {
      out.max_size = value == "-1" ? -1 : TRY(codec::parse_size(value));
      if (out.max_size == 0) return fail(Code::InvalidArgument, "max-size must be a positive number");
    } else if (name == "max-file") {
      auto count = parse_uint(value);
      if (!count || *count == 0 || *count > 1000) {
        return fail(Code::InvalidArgument, "max-file cannot be less than 1 or more than 1000");
      }
      out.max_file = static_cast<int64_t>(*count);
    } else if (name == "labels" || name == "env") {
      add_attributes(record, name, value, out.attributes);
    } else if (name == "tag") {
      if (value.find("{{") != std::string::npos) {
        return fail(Code::NotImplemented, "log opt 'tag': templates are not implemented; a plain text is");
      }
      out.attributes["tag"] = value;
    } else if (name == "mode") {
      if (value != "blocking") return fail(Code::NotImplemented, "log opt 'mode': only \"blocking\" is implemented");
    } else {
      return fail(Code::InvalidArgument, "unknown log opt '{}' for json-file log driver", name);
    }
  }
  return out;
}

}  // namespace sampan::container
