#pragma once
// A conversation with one registry: which scheme it speaks, how it wants to be asked, whom it redirects to.

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "registry/internal/challenge.h"
#include "registry/internal/tokens.h"
#include "registry/internal/transport.h"
#include "registry/registry.h"

namespace sampan::registry {

/// What GET /v2/ taught about a registry.
struct Endpoint {
  Url base;  // ".../v2/"
  bool insecure = false;
  AddressClass address = AddressClass::Public;
  std::vector<Challenge> challenges;
  std::chrono::steady_clock::time_point seen;
};

/// Everything the sessions of one client share. Threads: any.
struct Shared {
  explicit Shared(ClientOptions client_options)
      : options(std::make_shared<const ClientOptions>(std::move(client_options))), tokens(transport) {}
  std::atomic<std::shared_ptr<const ClientOptions>> options;
  Transport transport;
  Tokens tokens;
  std::mutex mutex;
  std::map<std::string, Endpoint> endpoints;  // by host[:port]
};

/// "docker.io" is served by registry-1.docker.io.
std::string registry_host(const std::string& domain);
bool is_insecure_host(const ClientOptions& options, const std::string& host_and_port);
/// Certificates below <certs_dir>/<host[:port]>: *.crt are trusted, *.cert with *.key are presented.
TlsOptions load_tls(const ClientOptions& options, const std::string& host_and_port, bool insecure);

struct Call {
  std::string method = "GET";
  std::string path;        // below /v2/, unless `url` is given
  std::optional<Url> url;  // where the registry said to go on
  std::vector<std::string> headers;
  std::string body;
  std::string scope;
  ByteSource* upload = nullptr;
  int64_t upload_size = 0;
  std::function<void(int64_t)> on_uploaded;
  std::function<Result<void>(const Response&, std::string_view)> on_body;
  size_t body_limit = 64 << 10;
};

class Session {
 public:
  Session(Shared& shared, const std::string& domain, const Credentials& credentials, const Cancel& cancel)
      : shared_(shared), host_(registry_host(domain)), credentials_(credentials), cancel_(cancel) {}
  /// Answers of every status come back as they are, after authentication and redirects.
  /// Errors: those of the transport, of the token server, of a redirect that is refused.
  Result<Response> send(const Call& call);
  /// GET /v2/, always asked.
  Result<Endpoint> ping();
  Result<Endpoint> endpoint();
  /// A URL from a header, checked against downgrades.
  Result<Url> follow(const Url& from, const std::string& location);
  int max_attempts() const { return shared_.options.load()->max_attempts; }

 private:
  Result<Endpoint> ping_scheme(const std::string& scheme, bool insecure);
  Result<std::string> authorization(const Endpoint& endpoint, const std::string& scope, Tokens::Fresh fresh);
  Result<Response> send_once(const Endpoint& endpoint, const Call& call, const std::string& authorization);
  Result<Response> redirect(const Endpoint& endpoint, Request request, Response response);
  Shared& shared_;
  std::string host_;
  const Credentials& credentials_;
  const Cancel& cancel_;
};

}  // namespace sampan::registry
