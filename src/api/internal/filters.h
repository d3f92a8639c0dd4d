#pragma once
// api/internal/filters: the filters= parameter in both of its JSON forms, and matching on labels and times.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/internal/call.h"

namespace sampan::api {

using engine::Filters;

/// {"key":{"value":true}} or {"key":["value"]}. Errors: InvalidArgument `invalid filter 'x'` for a key not in `known`.
Result<Filters> parse_filters(const Call& call, std::span<const std::string_view> known);
/// "key" or "key=value", all of them.
bool match_labels(const std::vector<std::string>& wanted, const std::map<std::string, std::string>& labels);
/// The filter's only value as a boolean ("1", "true", "0", "false"). Errors: InvalidArgument `invalid filter 'x=[y]'`.
Result<std::optional<bool>> find_bool_filter(const Filters& filters, const std::string& key);
/// The filter's values; empty when it is missing.
const std::vector<std::string>& filter_values(const Filters& filters, const std::string& key);
/// until=: a timestamp, or a duration before now; nanoseconds since 1970. Errors: InvalidArgument.
Result<std::optional<int64_t>> find_until(const Filters& filters);

}  // namespace sampan::api
