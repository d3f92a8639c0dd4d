#include "registry/internal/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include "base/strings.h"
#include "codec/text.h"

namespace sampan::registry {
namespace {

std::string part(CURLU* handle, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, which, &text, flags) != CURLUE_OK) return {};
  std::string out = text;
  curl_free(text);
  return out;
}

Result<Url> parse_relative(const std::string& base, std::string_view text) {
  auto bad = [&] { return fail(Code::InvalidArgument, "invalid URL \"{}\"", text.substr(0, 512)); };
  for (unsigned char c : text) {
    if (c <= 0x20 || c == 0x7f) return bad();
  }
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> handle(curl_url(), &curl_url_cleanup);
  if (!handle) return fail(Code::ResourceExhausted, "no memory for a URL");
  if (!base.empty() && curl_url_set(handle.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK) return bad();
  if (curl_url_set(handle.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) return bad();
  Url out;
  out.scheme = to_lower(part(handle.get(), CURLUPART_SCHEME));
  out.host = to_lower(part(handle.get(), CURLUPART_HOST));
  out.port = part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  out.path = part(handle.get(), CURLUPART_PATH);
  out.query = part(handle.get(), CURLUPART_QUERY);
  bool has_user = !part(handle.get(), CURLUPART_USER).empty() || !part(handle.get(), CURLUPART_PASSWORD).empty();
  if ((out.scheme != "http" && out.scheme != "https") || out.host.empty() || has_user) return bad();
  if (out.path.empty()) out.path = "/";
  return out;
}

std::string without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
}

std::optional<uint32_t> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

AddressClass classify_ipv4(uint32_t ip) {
  if ((ip >> 16) == 0xa9fe) return AddressClass::LinkLocal;  // 169.254/16: cloud metadata lives here
  if ((ip >> 24) == 127 || (ip >> 24) == 0) return AddressClass::Loopback;
  bool is_private =
      (ip >> 24) == 10 || (ip >> 20) == 0xac1 || (ip >> 16) == 0xc0a8 || (ip >> 22) == (0x64400000u >> 22);
  return is_private ? AddressClass::Private : AddressClass::Public;
}

}  // namespace

std::string Url::str() const {
  bool standard = (scheme == "https" && port == "443") || (scheme == "http" && port == "80");
  std::string out = scheme + "://" + host + (standard ? "" : ":" + port) + path;
  return query.empty() ? out : out + "?" + query;
}

void Url::add_query(std::string_view name, std::string_view value) {
  if (!query.empty()) query += '&';
  query += codec::format_percent(name) + "=" + codec::format_percent(value);
}

Result<Url> parse_url(std::string_view text) {
  return parse_relative({}, text);
}
Result<Url> resolve_url(const Url& base, std::string_view reference) {
  return parse_relative(base.str(), reference);
}

bool is_ip_literal(std::string_view host) {
  in6_addr address{};
  std::string bare = without_brackets(host);
  return parse_ipv4(bare) || inet_pton(AF_INET6, bare.c_str(), &address) == 1;
}

AddressClass classify_address(std::string_view ip) {
  std::string bare = without_brackets(ip);
  if (auto v4 = parse_ipv4(bare)) return classify_ipv4(*v4);
  in6_addr address{};
  if (inet_pton(AF_INET6, bare.c_str(), &address) != 1) return AddressClass::Public;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    uint32_t v4;
    std::memcpy(&v4, address.s6_addr + 12, sizeof v4);
    return classify_ipv4(ntohl(v4));
  }
  if (IN6_IS_ADDR_LINKLOCAL(&address)) return AddressClass::LinkLocal;
  if (IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_UNSPECIFIED(&address)) return AddressClass::Loopback;
  return (address.s6_addr[0] & 0xfe) == 0xfc ? AddressClass::Private : AddressClass::Public;
}

bool is_loopback_host(std::string_view host) {
  return host == "localhost" || (is_ip_literal(host) && classify_address(host) == AddressClass::Loopback);
}

bool is_in_cidr(std::string_view ip, std::string_view cidr) {
  auto parts = split_once(cidr, '/');
  if (!parts) return false;
  auto address = parse_ipv4(ip), network = parse_ipv4(parts->first);
  auto bits = parse_uint(parts->second);
  if (!address || !network || !bits || *bits > 32) return false;
  uint32_t mask = *bits == 0 ? 0 : ~uint32_t{0} << (32 - *bits);
  return (*address & mask) == (*network & mask);
}

}  // namespace sampan::registry
