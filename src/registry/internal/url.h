#pragma once
// A parsed http(s) URL. Registries name URLs in headers (redirects, realms, upload locations): they are hostile input.

#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::registry {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // as written, an IPv6 literal in brackets
  std::string port;    // always there
  std::string path;    // begins with "/"
  std::string query;   // without "?"

  std::string str() const;
  /// What may share credentials: scheme, host and port.
  bool same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
  void add_query(std::string_view name, std::string_view value);
};

/// Errors: InvalidArgument (no http or https URL, user information in it).
Result<Url> parse_url(std::string_view text);
/// A reference from a header, relative to the URL that answered with it.
Result<Url> resolve_url(const Url& base, std::string_view reference);

/// How near to this machine an address is. A server may send us only as near as we already are with it.
enum class AddressClass { Public, Private, Loopback, LinkLocal };
/// For an IPv4 or IPv6 literal (brackets allowed); nullopt-like Public for a name.
bool is_ip_literal(std::string_view host);
AddressClass classify_address(std::string_view ip);
/// "localhost", 127.0.0.0/8, ::1.
bool is_loopback_host(std::string_view host);
/// True when the IPv4 literal lies in "a.b.c.d/n".
bool is_in_cidr(std::string_view ip, std::string_view cidr);

}  // namespace sampan::registry
