#pragma once
// registry: the client side of the OCI distribution protocol (Docker Registry HTTP API V2), over libcurl.
//
// Credentials reach only the host they were given for and the token realm it names (never a redirect's target).
// Plain HTTP is used only for registries on loopback and for those listed as insecure; nothing falls back silently.
// Every blob is hashed while it arrives; a broken download resumes where it stopped.
//
// Threads: a Client may be shared; each call blocks its thread and polls its Cancel.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/io.h"
#include "base/result.h"
#include "oci/image.h"
#include "oci/reference.h"

namespace sampan::registry {

/// X-Registry-Auth, decoded.
struct Credentials {
  std::string username, password, identity_token, registry_token, server_address;
  bool empty() const { return username.empty() && identity_token.empty() && registry_token.empty(); }
};
/// base64url JSON; malformed or empty text is no credentials (as Docker treats it on pull).
Credentials parse_registry_auth(std::string_view header);

struct ClientOptions {
  std::set<std::string> insecure_registries;  // host[:port] or CIDR; 127.0.0.0/8 is always there
  std::string certs_dir = "/etc/docker/certs.d";
  std::vector<std::string> mirrors;  // "https://host[:port]": asked before docker.io, without credentials
  int max_attempts = 6;              // of a download that makes no progress
  int max_downloads = 3;             // of one pull, at a time
};

struct Fetched {
  std::string body;  // verified against the digest
  std::string media_type;
  oci::Digest digest;
};

using Progress = std::function<void(int64_t current, int64_t total)>;

class Client {
 public:
  virtual ~Client() = default;
  /// What is asked from now on; transfers under way go on as they began. Threads: any.
  virtual void reconfigure(ClientOptions options) = 0;
  virtual ClientOptions options() const = 0;
  /// A manifest or index by tag or digest. Errors: NotFound ("manifest for x not found: manifest unknown..."),
  /// PermissionDenied ("pull access denied for ..."), Unavailable (with the transport's own words).
  virtual Result<Fetched> fetch_manifest(const oci::Reference& reference, const std::string& tag_or_digest,
                                         const Credentials& credentials, const Cancel& cancel) = 0;
  /// Streams a blob into `path` (a partial file there is re-hashed and continued), and verifies digest and size.
  virtual Result<void> fetch_blob(const oci::Reference& reference, const oci::Descriptor& blob, const std::string& path,
                                  const Credentials& credentials, const Progress& progress, const Cancel& cancel) = 0;
  virtual Result<std::vector<std::string>> list_tags(const oci::Reference& reference, const Credentials& credentials,
                                                     const Cancel& cancel) = 0;
  /// POST /auth: verifies credentials; returns the status text.
  virtual Result<std::string> login(const Credentials& credentials, const Cancel& cancel) = 0;
  virtual Result<bool> has_blob(const oci::Reference& reference, const oci::Digest& digest,
                                const Credentials& credentials, const Cancel& cancel) = 0;
  virtual Result<void> push_blob(const oci::Reference& reference, const oci::Descriptor& blob, ByteSource& content,
                                 const Credentials& credentials, const Progress& progress, const Cancel& cancel) = 0;
  virtual Result<oci::Digest> push_manifest(const oci::Reference& reference, const std::string& tag_or_digest,
                                            const std::string& body, const std::string& media_type,
                                            const Credentials& credentials, const Cancel& cancel) = 0;
};
std::unique_ptr<Client> make_client(ClientOptions options);

}  // namespace sampan::registry
