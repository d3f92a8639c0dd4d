#pragma once
// Bearer tokens: asked for at the realm a registry names, kept until they end. Source: distribution's token spec.

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "base/cancel.h"
#include "registry/internal/challenge.h"
#include "registry/internal/transport.h"
#include "registry/registry.h"

namespace sampan::registry {

struct TokenRequest {
  const Challenge* challenge = nullptr;
  std::string scope;      // "repository:library/busybox:pull", empty for a login
  Url registry;           // who named the realm
  bool insecure = false;  // the registry itself needs no TLS
  AddressClass nearest = AddressClass::Public;
  TlsOptions tls;
};

/// Threads: any. The cache is keyed by registry, realm, scope and the credentials' digest.
class Tokens {
 public:
  explicit Tokens(Transport& transport) : transport_(transport) {}
  enum class Fresh { No, Yes };
  /// Errors: Unauthenticated (the token server's words), PermissionDenied (a realm that must not see credentials).
  Result<std::string> get(const TokenRequest& request, const Credentials& credentials, Fresh fresh,
                          const Cancel& cancel);

 private:
  struct Entry {
    std::string token;
    std::chrono::steady_clock::time_point ends;
  };
  Result<Entry> ask(const TokenRequest& request, const Url& realm, const Credentials& credentials,
                    const Cancel& cancel);
  Transport& transport_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

/// Where a realm may be: https unless the registry is insecure; no IP literal but the registry's own host.
Result<Url> check_realm(const std::string& realm, const Url& registry, bool insecure);

}  // namespace sampan::registry
