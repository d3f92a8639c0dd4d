#include "registry/internal/session.h"

#include <thread>

#include "base/strings.h"
#include "codec/text.h"
#include "registry/internal/errors.h"

namespace sampan::registry {
namespace {

constexpr int kMaxRedirects = 10;
constexpr int kMaxBusyRetries = 3;
constexpr auto kEndpointLife = std::chrono::minutes(10);

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::vector<Challenge> challenges_of(const Response& response) {
  std::vector<Challenge> out;
  auto [begin, end] = response.headers.equal_range("www-authenticate");
  for (auto it = begin; it != end; ++it) {
    for (auto& challenge : parse_challenges(it->second)) out.push_back(std::move(challenge));
  }
  return out;
}

const Challenge* find_challenge(const std::vector<Challenge>& challenges, std::string_view scheme) {
  for (const auto& challenge : challenges) {
    if (challenge.scheme == scheme) return &challenge;
  }
  return nullptr;
}

std::string host_and_port(const Url& url) {
  bool standard = (url.scheme == "https" && url.port == "443") || (url.scheme == "http" && url.port == "80");
  return standard ? url.host : url.host + ":" + url.port;
}

/// Waits in small steps; false when cancelled.
bool pause(std::chrono::milliseconds time, const Cancel& cancel) {
  auto ends = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < ends) {
    if (cancel.cancelled()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

/// How long a busy registry asks us to wait; nullopt when it does not say or asks for too much.
std::optional<std::chrono::milliseconds> retry_after(const Response& response) {
  if (response.status != 429 && response.status != 503) return std::nullopt;
  auto seconds = parse_uint(response.header("retry-after"));
  if (!seconds || *seconds > 30) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

}  // namespace

Result<Endpoint> Session::ping_scheme(const std::string& scheme, bool insecure) {
  Endpoint endpoint;
  endpoint.base = TRY(parse_url(scheme + "://" + host_ + "/v2/"));
  endpoint.insecure = insecure;
  Request request;
  request.url = endpoint.base;
  request.pool = host_;
  request.tls = load_tls(*shared_.options.load(), host_, insecure);
  auto response = TRY(shared_.transport.exchange(request, cancel_));
  endpoint.address = response.address;
  endpoint.challenges = challenges_of(response);
  endpoint.seen = std::chrono::steady_clock::now();
  if (!response.success() && response.status != 401 && response.status != 404 && !is_redirect(response.status)) {
    return std::move(plain_error(response)).context(fmt::format("Get \"{}\"", endpoint.base.str()));
  }
  return endpoint;
}

Result<Endpoint> Session::ping() {
  bool insecure = is_insecure_host(*shared_.options.load(), host_);
  auto found = ping_scheme("https", insecure);
  // Only a registry that the administrator listed, or one on this machine, is asked without TLS.
  if (!found && insecure && found.error().code() == Code::Unavailable) found = ping_scheme("http", insecure);
  if (!found) return found;
  std::lock_guard lock(shared_.mutex);
  shared_.endpoints.insert_or_assign(host_, *found);
  return found;
}

Result<Endpoint> Session::endpoint() {
  {
    std::lock_guard lock(shared_.mutex);
    auto known = shared_.endpoints.find(host_);
    if (known != shared_.endpoints.end() && std::chrono::steady_clock::now() - known->second.seen < kEndpointLife) {
      return known->second;
    }
  }
  return ping();
}

Result<std::string> Session::authorization(const Endpoint& endpoint, const std::string& scope, Tokens::Fresh fresh) {
  if (!credentials_.registry_token.empty()) return "Bearer " + credentials_.registry_token;
  if (const auto* bearer = find_challenge(endpoint.challenges, "bearer")) {
    TokenRequest wanted{.challenge = bearer, .scope = scope, .registry = endpoint.base, .insecure = endpoint.insecure};
    wanted.nearest = endpoint.address;
    wanted.tls = load_tls(*shared_.options.load(), host_, false);
    auto realm = parse_url(bearer->get("realm"));
    wanted.tls.verify = !(realm && is_insecure_host(*shared_.options.load(), host_and_port(*realm)));
    if (!realm || realm->host != endpoint.base.host) wanted.tls.client_cert.clear();
    return "Bearer " + TRY(shared_.tokens.get(wanted, credentials_, fresh, cancel_));
  }
  if (find_challenge(endpoint.challenges, "basic") && !credentials_.username.empty()) {
    return "Basic " + codec::format_base64(credentials_.username + ":" + credentials_.password);
  }
  return std::string();
}

Result<Url> Session::follow(const Url& from, const std::string& location) {
  if (location.empty()) return fail(Code::InvalidArgument, "\"{}\" answers without a Location", from.str());
  auto target = TRY_CONTEXT(resolve_url(from, location), "redirect");
  if (from.scheme == "https" && target.scheme == "http" && !is_insecure_host(*shared_.options.load(), host_)) {
    return fail(Code::PermissionDenied, "\"{}\" redirects from https to http", from.str());
  }
  return target;
}

Result<Response> Session::redirect(const Endpoint& endpoint, Request request, Response response) {
  const bool readable = request.method == "GET" || request.method == "HEAD";
  for (int hops = 0; readable && is_redirect(response.status); ++hops) {
    if (hops == kMaxRedirects) return fail(Code::InvalidArgument, "stopped after {} redirects", kMaxRedirects);
    auto target = TRY(follow(request.url, response.header("location")));
    if (!target.same_origin(request.url)) {
      // Credentials were given to one host. They never come back, even if the chain does.
      std::erase_if(request.headers, [](const std::string& header) { return header.starts_with("Authorization:"); });
      std::string host = host_and_port(target);
      request.tls = load_tls(*shared_.options.load(), host, is_insecure_host(*shared_.options.load(), host));
      request.tls.client_cert.clear();
      request.nearest = endpoint.address;
    }
    request.url = std::move(target);
    response = TRY(shared_.transport.exchange(request, cancel_));
  }
  return response;
}

Result<Response> Session::send_once(const Endpoint& endpoint, const Call& call, const std::string& authorization) {
  Request request;
  request.method = call.method;
  request.headers = call.headers;
  request.body = call.body;
  request.upload = call.upload;
  request.upload_size = call.upload_size;
  request.on_uploaded = call.on_uploaded;
  request.on_body = call.on_body;
  request.body_limit = call.body_limit;
  request.pool = host_;
  if (call.url)
    request.url = *call.url;
  else
    request.url = TRY(parse_url(endpoint.base.str() + call.path));
  if (request.url.same_origin(endpoint.base)) {
    request.tls = load_tls(*shared_.options.load(), host_, endpoint.insecure);
    if (!authorization.empty()) request.headers.push_back("Authorization: " + authorization);
  } else {
    std::string host = host_and_port(request.url);
    request.tls = load_tls(*shared_.options.load(), host, is_insecure_host(*shared_.options.load(), host));
    request.tls.client_cert.clear();
    request.nearest = endpoint.address;
  }
  auto response = TRY(shared_.transport.exchange(request, cancel_));
  return redirect(endpoint, std::move(request), std::move(response));
}

Result<Response> Session::send(const Call& call) {
  auto known = TRY(endpoint());
  bool asked_again = false;
  for (int busy = 0;;) {
    auto fresh = asked_again ? Tokens::Fresh::Yes : Tokens::Fresh::No;
    auto header = TRY(authorization(known, call.scope, fresh));
    auto response = TRY(send_once(known, call, header));
    if (response.status == 401 && !asked_again && !call.upload) {
      // The challenge on the resource itself is newer than what the ping knew.
      auto challenges = challenges_of(response);
      bool usable = find_challenge(challenges, "bearer") || find_challenge(challenges, "basic");
      if (!usable) return response;
      if (header.empty() && find_challenge(challenges, "basic") && credentials_.username.empty()) {
        return fail(Code::Unauthenticated, "{} \"{}\": no basic auth credentials",
                    call.method == "HEAD" ? "Head" : "Get", known.base.str() + call.path);
      }
      known.challenges = std::move(challenges);
      asked_again = true;
      continue;
    }
    auto wait = retry_after(response);
    if (!wait || call.upload || ++busy > kMaxBusyRetries) return response;
    if (!pause(*wait, cancel_)) return fail(Code::Cancelled, "operation cancelled by the client");
  }
}

}  // namespace sampan::registry
