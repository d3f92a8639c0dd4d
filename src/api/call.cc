#include "api/internal/call.h"

#include "api/internal/json_answer.h"
#include "base/strings.h"
#include "codec/text.h"

namespace sampan::api {

std::string format_version(Version version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

Result<int64_t> Call::number(std::string_view key, int64_t fallback) const {
  auto text = request.find(key);
  if (!text || text->empty()) return fallback;
  auto value = parse_int(*text);
  if (!value) return fail(Code::InvalidArgument, "invalid value for {}: \"{}\" is not a number", key, *text);
  return *value;
}

std::vector<std::string> change_lines(const http::Request& request) {
  std::vector<std::string> out;
  for (const auto& text : request.all("changes")) {
    for (auto& line : split(text, '\n')) {
      if (!trim(line).empty()) out.push_back(std::move(line));
    }
  }
  return out;
}

http::Response json_answer(int status, const json::value& value) {
  return {status, {{"Content-Type", "application/json"}}, codec::format_json(value) + "\n"};
}

http::Response message_answer(int status, std::string_view message) {
  return json_answer(status, json::object{{"message", message}});
}

http::Response error_answer(const Error& error) {
  int status = http_status(error.code());
  if (status == 304) return empty_answer(304);
  return message_answer(status, error.message());
}

http::Response empty_answer(int status) {
  return {status, {}, ""};
}

Result<json::object> parse_body(const Call& call) {
  if (trim(call.body).empty()) return json::object();
  auto value = TRY(codec::parse_json(call.body));
  if (value.is_null()) return json::object();
  if (!value.is_object()) return fail(Code::InvalidArgument, "invalid JSON: the body must be an object");
  return std::move(value.as_object());
}

int64_t unix_seconds(std::string_view rfc3339) {
  constexpr int64_t kGoZero = -62135596800;
  auto time = codec::parse_rfc3339(rfc3339);
  if (!time || time->is_zero()) return kGoZero;
  return time->unix_nanos / 1'000'000'000;
}

}  // namespace sampan::api
