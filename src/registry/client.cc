#include "base/strings.h"
#include "registry/internal/errors.h"
#include "registry/internal/operations.h"

namespace sampan::registry {
namespace {

/// "https://index.docker.io/v1/" and "registry.example.com:5000" both name a host.
std::string host_of_server_address(const std::string& address) {
  std::string_view text = address;
  for (std::string_view scheme : {"https://", "http://"}) {
    if (text.starts_with(scheme)) text.remove_prefix(scheme.size());
  }
  text = text.substr(0, text.find('/'));
  return text.empty() ? "docker.io" : std::string(text);
}

class CurlClient final : public Client {
 public:
  explicit CurlClient(ClientOptions options) : shared_(std::move(options)) {}

  Result<Fetched> fetch_manifest(const oci::Reference& reference, const std::string& tag_or_digest,
                                 const Credentials& credentials, const Cancel& cancel) override {
    Session session(shared_, reference.domain, credentials, cancel);
    return registry::fetch_manifest(session, reference, tag_or_digest);
  }

  Result<void> fetch_blob(const oci::Reference& reference, const oci::Descriptor& blob, const std::string& path,
                          const Credentials& credentials, const Progress& progress, const Cancel& cancel) override {
    Session session(shared_, reference.domain, credentials, cancel);
    return download_blob(session, reference, blob, path, progress, cancel);
  }

  Result<std::vector<std::string>> list_tags(const oci::Reference& reference, const Credentials& credentials,
                                             const Cancel& cancel) override {
    Session session(shared_, reference.domain, credentials, cancel);
    return registry::list_tags(session, reference);
  }

  Result<std::string> login(const Credentials& credentials, const Cancel& cancel) override {
    Session session(shared_, host_of_server_address(credentials.server_address), credentials, cancel);
    auto endpoint = TRY(session.ping());
    Call call;  // GET /v2/ with the credentials
    auto response = session.send(call);
    std::string context = fmt::format("Get \"{}\"", endpoint.base.str());
    if (!response) return std::move(response).error().context(context);
    if (!response->success()) return std::move(plain_error(*response)).context(context);
    return std::string("Login Succeeded");
  }

  Result<bool> has_blob(const oci::Reference& reference, const oci::Digest& digest, const Credentials& credentials,
                        const Cancel& cancel) override {
    Session session(shared_, reference.domain, credentials, cancel);
    return registry::has_blob(session, reference, digest);
  }

  Result<void> push_blob(const oci::Reference& reference, const oci::Descriptor& blob, ByteSource& content,
                         const Credentials& credentials, const Progress& progress, const Cancel& cancel) override {
    Session session(shared_, reference.domain, credentials, cancel);
    return upload_blob(session, reference, blob, content, progress);
  }

  Result<oci::Digest> push_manifest(const oci::Reference& reference, const std::string& tag_or_digest,
                                    const std::string& body, const std::string& media_type,
                                    const Credentials& credentials, const Cancel& cancel) override {
    Session session(shared_, reference.domain, credentials, cancel);
    return registry::push_manifest(session, reference, tag_or_digest, body, media_type);
  }

 private:
  Shared shared_;
};

}  // namespace

std::unique_ptr<Client> make_client(ClientOptions options) {
  return std::make_unique<CurlClient>(std::move(options));
}

}  // namespace sampan::registry
