#include "http/message.h"

#include "base/strings.h"
#include "codec/text.h"

namespace sampan::http {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

struct Reason {
  int status;
  const char* phrase;
};
constexpr Reason kReasons[] = {{100, "Continue"},
                               {101, "Switching Protocols"},
                               {200, "OK"},
                               {201, "Created"},
                               {202, "Accepted"},
                               {204, "No Content"},
                               {304, "Not Modified"},
                               {400, "Bad Request"},
                               {401, "Unauthorized"},
                               {403, "Forbidden"},
                               {404, "Not Found"},
                               {405, "Method Not Allowed"},
                               {406, "Not Acceptable"},
                               {408, "Request Timeout"},
                               {409, "Conflict"},
                               {413, "Request Entity Too Large"},
                               {415, "Unsupported Media Type"},
                               {431, "Request Header Fields Too Large"},
                               {500, "Internal Server Error"},
                               {501, "Not Implemented"},
                               {503, "Service Unavailable"},
                               {505, "HTTP Version Not Supported"}};

}  // namespace

std::string Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (same_name(key, name)) return value;
  }
  return {};
}

std::optional<std::string> Request::find(std::string_view key) const {
  for (const auto& [name, value] : query) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::string Request::get(std::string_view key, std::string_view fallback) const {
  auto value = find(key);
  return value ? *value : std::string(fallback);
}

std::vector<std::string> Request::all(std::string_view key) const {
  std::vector<std::string> out;
  for (const auto& [name, value] : query) {
    if (name == key) out.push_back(value);
  }
  return out;
}

bool Request::flag(std::string_view key, bool fallback) const {
  auto value = find(key);
  if (!value) return fallback;
  std::string text = to_lower(trim(*value));
  return !(text.empty() || text == "0" || text == "no" || text == "false" || text == "none");
}

Result<Fields> parse_query(std::string_view text) {
  Fields out;
  while (!text.empty()) {
    size_t end = text.find('&');
    std::string_view piece = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (piece.empty()) continue;
    size_t equals = piece.find('=');
    std::string key = TRY(codec::parse_percent(piece.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) value = TRY(codec::parse_percent(piece.substr(equals + 1), true));
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

Result<void> parse_target(std::string_view target, Request& request) {
  request.target = target;
  // An absolute form ("http://host/x", as proxies send it) is taken for its path.
  if (size_t scheme = target.find("://"); target.starts_with("http") && scheme != std::string_view::npos) {
    size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (!target.starts_with('/')) return fail(Code::InvalidArgument, "request target must begin with a slash");
  target = target.substr(0, target.find('#'));
  size_t mark = target.find('?');
  request.path = TRY_CONTEXT(codec::parse_percent(target.substr(0, mark), false), "request path");
  if (request.path.find('\0') != std::string::npos) return fail(Code::InvalidArgument, "request path holds a NUL byte");
  if (mark != std::string_view::npos) request.query = TRY_CONTEXT(parse_query(target.substr(mark + 1)), "query");
  return {};
}

const char* reason_phrase(int status) {
  for (const auto& row : kReasons) {
    if (row.status == status) return row.phrase;
  }
  return "Unknown";
}

std::string format_head(int status, const Fields& headers) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : headers) {
    out += name;
    out += ": ";
    for (char c : value) out += (c == '\r' || c == '\n' || c == '\0') ? ' ' : c;  // no header is smuggled in a value
    out += "\r\n";
  }
  out += "\r\n";
  return out;
}

}  // namespace sampan::http
