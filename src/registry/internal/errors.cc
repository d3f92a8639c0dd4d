#include "registry/internal/errors.h"

#include "base/strings.h"
#include "codec/json.h"
#include "registry/internal/challenge.h"

namespace sampan::registry {
namespace {

/// "MANIFEST_UNKNOWN" is shown as "manifest unknown".
std::string shown_code(std::string_view code) {
  std::string out = to_lower(code);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

/// Error texts end up in terminals: control bytes stay here.
std::string printable(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 2048)) out += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? ' ' : c;
  return out;
}

std::string member(const codec::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::vector<RegistryError> parse_errors(std::string_view body) {
  std::vector<RegistryError> out;
  auto value = codec::parse_json(body);
  if (!value || !value->is_object()) return out;
  const auto& object = value->get_object();
  const auto* errors = object.if_contains("errors");
  if (errors && errors->is_array()) {
    for (const auto& item : errors->get_array()) {
      if (!item.is_object() || out.size() == 8) continue;
      std::string code = printable(member(item.get_object(), "code"));
      std::string message = printable(member(item.get_object(), "message"));
      if (message.empty()) message = shown_code(code);
      out.push_back({code, shown_code(code) + ": " + message});
    }
  } else if (std::string details = member(object, "details"); !details.empty()) {
    out.push_back({"UNAUTHORIZED", "unauthorized: " + printable(details)});  // the old token servers' form
  }
  return out;
}

bool lacks_scope(const Response& response) {
  auto [begin, end] = response.headers.equal_range("www-authenticate");
  for (auto it = begin; it != end; ++it) {
    for (const auto& challenge : parse_challenges(it->second)) {
      if (challenge.get("error") == "insufficient_scope") return true;
    }
  }
  return false;
}

RegistryError of_status(const Response& response) {
  switch (response.status) {
    case 401:
      return {"UNAUTHORIZED", "unauthorized: authentication required"};
    case 403:
      return {"DENIED", "denied: requested access to the resource is denied"};
    case 404:
      return {"", "not found"};
    case 429:
      return {"TOOMANYREQUESTS", "toomanyrequests: too many requests"};
    default:
      return {"", fmt::format("received unexpected HTTP status: {}", response.status)};
  }
}

Code code_of(int status) {
  switch (status) {
    case 401:
      return Code::Unauthenticated;
    case 403:
      return Code::PermissionDenied;
    case 404:
      return Code::NotFound;
    case 429:
      return Code::ResourceExhausted;
    default:
      return status >= 500 ? Code::Unavailable : Code::InvalidArgument;
  }
}

}  // namespace

RegistryError read_registry_error(const Response& response) {
  if (response.status == 401 && lacks_scope(response)) {
    return {"DENIED", "denied: requested access to the resource is denied"};
  }
  auto errors = parse_errors(response.body);
  if (errors.empty()) return of_status(response);
  if (errors.size() == 1) return errors[0];
  RegistryError out{errors[0].code, "errors:"};
  for (const auto& error : errors) out.text += "\n" + error.text;
  return out;
}

Error pull_error(const Response& response, const std::string& familiar, const std::string& repository) {
  auto error = read_registry_error(response);
  if (error.code == "DENIED") {
    return make_error(Code::NotFound,
                      "pull access denied for {}, repository does not exist or may require 'docker login': {}",
                      repository, error.text);
  }
  if (error.code == "NAME_UNKNOWN")
    return make_error(Code::NotFound, "repository {} not found: {}", repository, error.text);
  if (error.code == "MANIFEST_UNKNOWN" || response.status == 404) {
    std::string text = error.code.empty() ? "manifest unknown: manifest unknown" : error.text;
    return make_error(Code::NotFound, "manifest for {} not found: {}", familiar, text);
  }
  return Error(code_of(response.status), error.text);
}

Error plain_error(const Response& response) {
  return Error(code_of(response.status), read_registry_error(response).text);
}

}  // namespace sampan::registry
