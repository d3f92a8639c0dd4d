#pragma once
// api/internal/json_answer: JSON in and out of handlers. For .cc files only (codec/json.h is heavy).

#include <string>
#include <string_view>

#include "api/internal/call.h"
#include "codec/json.h"

namespace sampan::api {

namespace json = codec::json;

http::Response json_answer(int status, const json::value& value);
/// The body as an object; an empty or null body is an empty object. Errors: InvalidArgument.
Result<json::object> parse_body(const Call& call);

/// Go's nil map or slice: null when empty.
template <typename T>
json::value null_if_empty(const T& in) {
  return in.empty() ? json::value(nullptr) : codec::write_json(in);
}
template <typename T>
json::value or_null(const std::optional<T>& in) {
  return in ? codec::write_json(*in) : json::value(nullptr);
}
/// Seconds since 1970 of an RFC 3339 text; Go's zero time for anything else.
int64_t unix_seconds(std::string_view rfc3339);

}  // namespace sampan::api
