#pragma once
// One HTTP exchange over libcurl: no redirects, no authentication, nothing guessed. Connections are kept alive in a
// pool per registry, so that a policy decided for one registry never serves another.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/io.h"
#include "base/result.h"
#include "registry/internal/url.h"

namespace sampan::registry {

struct TlsOptions {
  bool verify = true;
  std::string ca_pem;                   // trusted besides the system's authorities
  std::string client_cert, client_key;  // paths
};

struct Response {
  int status = 0;
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::string body;                                 // what no on_body took
  AddressClass address = AddressClass::Public;      // whom we spoke to
  bool success() const { return status >= 200 && status < 300; }
  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

struct Request {
  std::string method = "GET";
  Url url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;                  // sent when the method is POST, PUT or PATCH and there is no upload
  ByteSource* upload = nullptr;
  int64_t upload_size = 0;
  std::function<void(int64_t)> on_uploaded;  // bytes so far
  /// Takes the body of a 2xx answer as it arrives; an error ends the transfer with that error.
  std::function<Result<void>(const Response&, std::string_view)> on_body;
  size_t body_limit = 64 << 10;  // of a body that is collected
  TlsOptions tls;
  AddressClass nearest = AddressClass::LinkLocal;  // connect to nothing nearer than this
  std::string pool;                                // the registry on whose behalf
};

class Transport {
 public:
  Transport();
  ~Transport();
  /// Errors: Unavailable in Go's words (`Get "https://host/v2/": dial tcp ...`), Cancelled, ResourceExhausted (body).
  /// Threads: any.
  Result<Response> exchange(const Request& request, const Cancel& cancel);

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace sampan::registry
