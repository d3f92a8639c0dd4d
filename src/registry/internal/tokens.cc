#include "registry/internal/tokens.h"

#include "base/strings.h"
#include "codec/json.h"
#include "codec/sha256.h"
#include "codec/text.h"
#include "registry/internal/errors.h"

namespace sampan::registry {
namespace {

constexpr size_t kTokenLimit = 1 << 20;
constexpr size_t kEntryLimit = 1024;
constexpr int64_t kDefaultSeconds = 60;  // the specification's, when expires_in is missing
constexpr int64_t kLongestSeconds = 3600;

std::string credentials_digest(const Credentials& credentials) {
  std::string text = credentials.username;
  for (const auto* part : {&credentials.password, &credentials.identity_token}) {
    text += '\0';
    text += *part;
  }
  return codec::sha256_hex(text);
}

Request refresh_request(const TokenRequest& wanted, const Url& realm, const Credentials& credentials) {
  Request request;
  request.method = "POST";
  request.url = realm;
  auto add = [&](std::string_view name, std::string_view value) {
    if (!request.body.empty()) request.body += '&';
    request.body += fmt::format("{}={}", name, codec::format_percent(value));
  };
  add("grant_type", "refresh_token");
  add("refresh_token", credentials.identity_token);
  add("service", wanted.challenge->get("service"));
  add("client_id", "docker");
  if (!wanted.scope.empty()) add("scope", wanted.scope);
  request.headers.push_back("Content-Type: application/x-www-form-urlencoded");
  return request;
}

Request basic_request(const TokenRequest& wanted, const Url& realm, const Credentials& credentials) {
  Request request;
  request.url = realm;
  if (auto service = wanted.challenge->get("service"); !service.empty()) request.url.add_query("service", service);
  if (!wanted.scope.empty()) request.url.add_query("scope", wanted.scope);
  if (!credentials.username.empty()) {
    request.url.add_query("account", credentials.username);
    request.headers.push_back("Authorization: Basic " +
                              codec::format_base64(credentials.username + ":" + credentials.password));
  }
  return request;
}

}  // namespace

Result<Url> check_realm(const std::string& realm, const Url& registry, bool insecure) {
  auto url = TRY_CONTEXT(parse_url(realm), "token realm");
  if (url.scheme != "https" && !insecure) {
    return fail(Code::PermissionDenied, "token realm \"{}\" does not use https", url.str());
  }
  if (is_ip_literal(url.host) && url.host != registry.host) {
    return fail(Code::PermissionDenied, "token realm \"{}\" is an address other than the registry's", url.str());
  }
  return url;
}

Result<Tokens::Entry> Tokens::ask(const TokenRequest& wanted, const Url& realm, const Credentials& credentials,
                                  const Cancel& cancel) {
  Request request = credentials.identity_token.empty() ? basic_request(wanted, realm, credentials)
                                                       : refresh_request(wanted, realm, credentials);
  request.body_limit = kTokenLimit;
  request.tls = wanted.tls;
  request.nearest = wanted.nearest;
  request.pool = wanted.registry.host + ":" + wanted.registry.port;
  auto response = TRY(transport_.exchange(request, cancel));
  if (!response.success()) return plain_error(response);
  auto value = TRY_CONTEXT(codec::parse_json(response.body), "token server's answer");
  const auto* object = value.if_object();
  std::string token;
  int64_t seconds = kDefaultSeconds;
  if (object) {
    for (const char* name : {"token", "access_token"}) {
      const auto* member = object->if_contains(name);
      if (token.empty() && member && member->is_string()) token = std::string(member->get_string());
    }
    const auto* expires = object->if_contains("expires_in");
    if (expires && expires->is_int64())
      seconds = std::clamp<int64_t>(expires->get_int64(), kDefaultSeconds, kLongestSeconds);
  }
  if (token.empty() || token.find_first_of("\r\n") != std::string::npos) {
    return fail(Code::Unauthenticated, "authorization server did not include a token in the response");
  }
  // A token that ends while it travels is no use: leave a margin.
  return Entry{token, std::chrono::steady_clock::now() + std::chrono::seconds(seconds - seconds / 6)};
}

Result<std::string> Tokens::get(const TokenRequest& wanted, const Credentials& credentials, Fresh fresh,
                                const Cancel& cancel) {
  auto realm = TRY(check_realm(wanted.challenge->get("realm"), wanted.registry, wanted.insecure));
  std::string key = join({wanted.registry.str(), realm.str(), wanted.challenge->get("service"), wanted.scope,
                          credentials_digest(credentials)},
                         "\n");
  auto now = std::chrono::steady_clock::now();
  if (fresh == Fresh::No) {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(key);
    if (found != entries_.end() && found->second.ends > now) return found->second.token;
  }
  auto entry = TRY(ask(wanted, realm, credentials, cancel));
  std::lock_guard lock(mutex_);
  if (entries_.size() >= kEntryLimit)
    std::erase_if(entries_, [&](const auto& item) { return item.second.ends <= now; });
  if (entries_.size() >= kEntryLimit) entries_.clear();
  entries_.insert_or_assign(key, entry);
  return entry.token;
}

}  // namespace sampan::registry
