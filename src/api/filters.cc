#include "api/internal/filters.h"

#include <algorithm>
#include <chrono>

#include "api/internal/json_answer.h"
#include "base/strings.h"
#include "codec/text.h"

namespace sampan::api {

Result<Filters> parse_filters(const Call& call, std::span<const std::string_view> known) {
  Filters out;
  std::string text = call.get("filters");
  if (text.empty()) return out;
  auto value = TRY_CONTEXT(codec::parse_json(text), "invalid filter");
  if (value.is_null()) return out;
  if (!value.is_object()) return fail(Code::InvalidArgument, "invalid filter: must be an object");
  for (const auto& item : value.get_object()) {
    std::string key(item.key());
    if (std::ranges::find(known, std::string_view(key)) == known.end()) {
      return fail(Code::InvalidArgument, "invalid filter '{}'", key);
    }
    auto& values = out[key];
    if (const auto* list = item.value().if_array()) {
      for (const auto& entry : *list) {
        if (!entry.is_string()) return fail(Code::InvalidArgument, "invalid filter '{}': values must be strings", key);
        values.emplace_back(entry.get_string());
      }
    } else if (const auto* set = item.value().if_object()) {
      for (const auto& entry : *set) values.emplace_back(entry.key());
    } else if (!item.value().is_null()) {
      return fail(Code::InvalidArgument, "invalid filter '{}': must be a list or an object", key);
    }
  }
  return out;
}

bool match_labels(const std::vector<std::string>& wanted, const std::map<std::string, std::string>& labels) {
  return std::ranges::all_of(wanted, [&](const std::string& want) {
    size_t equals = want.find('=');
    auto found = labels.find(want.substr(0, equals));
    if (found == labels.end()) return false;
    return equals == std::string::npos || found->second == want.substr(equals + 1);
  });
}

const std::vector<std::string>& filter_values(const Filters& filters, const std::string& key) {
  static const std::vector<std::string> kNone;
  auto found = filters.find(key);
  return found == filters.end() ? kNone : found->second;
}

Result<std::optional<bool>> find_bool_filter(const Filters& filters, const std::string& key) {
  const auto& values = filter_values(filters, key);
  if (values.empty()) return std::optional<bool>();
  std::string value = to_lower(values.front());
  if (values.size() == 1 && (value == "1" || value == "true")) return std::optional<bool>(true);
  if (values.size() == 1 && (value == "0" || value == "false")) return std::optional<bool>(false);
  return fail(Code::InvalidArgument, "invalid filter '{}=[{}]'", key, join(values, " "));
}

Result<std::optional<int64_t>> find_until(const Filters& filters) {
  const auto& values = filter_values(filters, "until");
  if (values.empty()) return std::optional<int64_t>();
  if (values.size() > 1) return fail(Code::InvalidArgument, "more than one until filter specified");
  if (auto age = codec::parse_go_duration(values[0])) {
    auto now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
    return std::optional<int64_t>(now.count() - *age);
  }
  auto time = TRY_CONTEXT(codec::parse_timestamp(values[0]), "invalid filter 'until'");
  return std::optional<int64_t>(time.unix_nanos);
}

}  // namespace sampan::api
