#pragma once
// http/message: requests and responses as values; light, without the event loop.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sampan::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;  // "GET"
  std::string target;  // as sent
  std::string path;    // decoded
  Fields query;        // decoded, in order
  Fields headers;
  int64_t content_length = -1;
  bool has_body = false;
  uint32_t peer_uid = 0, peer_pid = 0;  // unix sockets

  std::string header(std::string_view name) const;              // case-insensitive, "" when missing
  std::optional<std::string> find(std::string_view key) const;  // first query value
  std::string get(std::string_view key, std::string_view fallback = "") const;
  std::vector<std::string> all(std::string_view key) const;
  /// Docker's booleans: "", "0", "no", "false", "none" are false, anything else true; missing is the fallback.
  bool flag(std::string_view key, bool fallback = false) const;
};

struct Response {
  int status = 200;
  Fields headers;
  std::string body;
};

/// Splits and decodes a request target into path and query. Errors: InvalidArgument (broken escape, NUL, no path).
Result<void> parse_target(std::string_view target, Request& request);
/// "a=1&b=2" into decoded pairs (also the body of an urlencoded form).
Result<Fields> parse_query(std::string_view text);
/// "Not Found" for 404.
const char* reason_phrase(int status);
/// Status line and headers with the empty line; line breaks in values are made spaces.
std::string format_head(int status, const Fields& headers);

}  // namespace sampan::http
