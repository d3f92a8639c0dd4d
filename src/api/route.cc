#include "api/internal/route.h"

#include "base/strings.h"

namespace sampan::api {
namespace {

/// Takes "/v1.41" off the front of the path; nullopt when it has no such prefix.
std::optional<std::string> take_version(std::string_view& path) {
  if (path.size() < 3 || !path.starts_with("/v") || path[2] < '0' || path[2] > '9') return std::nullopt;
  size_t end = path.find('/', 1);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view text = path.substr(2, end - 2);
  if (text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  path.remove_prefix(end);
  return std::string(text);
}

std::optional<Version> parse_version(std::string_view text) {
  auto parts = split(text, '.');
  if (parts.empty() || parts.size() > 2) return std::nullopt;
  auto major = parse_uint(parts[0]);
  auto minor = parts.size() == 2 ? parse_uint(parts[1]) : std::optional<uint64_t>(0);
  if (!major || !minor || *major > 1000 || *minor > 1000) return std::nullopt;
  return Version{static_cast<int>(*major), static_cast<int>(*minor)};
}

}  // namespace

bool match_pattern(std::string_view pattern, std::string_view path, std::string& name) {
  size_t open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == path;
  size_t close = pattern.find('}', open);
  std::string_view before = pattern.substr(0, open), after = pattern.substr(close + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) return false;
  name = path.substr(before.size(), path.size() - before.size() - after.size());
  return true;
}

Result<Match> find_route(std::string_view method, std::string_view path) {
  Match out{nullptr, kMaxVersion, {}};
  if (auto text = take_version(path)) {
    auto version = parse_version(*text);
    if (!version) return fail(Code::NotFound, "page not found");
    if (*version < kMinVersion) {
      return fail(Code::InvalidArgument,
                  "client version {} is too old. Minimum supported API version is {}, please upgrade your client to a "
                  "newer version",
                  *text, format_version(kMinVersion));
    }
    if (*version > kMaxVersion) {
      return fail(Code::InvalidArgument, "client version {} is too new. Maximum supported API version is {}", *text,
                  format_version(kMaxVersion));
    }
    out.version = *version;
  }
  for (const Route& route : routes()) {
    if (method == route.method && out.version >= route.since && match_pattern(route.pattern, path, out.name)) {
      out.route = &route;
      return out;
    }
  }
  return fail(Code::NotFound, "page not found");
}

}  // namespace sampan::api
