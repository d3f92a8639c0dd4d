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

/// A mirror whose address says http is one that the administrator wants without TLS.
ClientOptions with_plain_mirrors(ClientOptions options) {
  for (const auto& mirror : options.mirrors) {
    if (mirror.starts_with("http://")) options.insecure_registries.insert(host_of_server_address(mirror));
  }
  return options;
}

class CurlClient final : public Client {
 public:
  explicit CurlClient(ClientOptions options) : shared_(with_plain_mirrors(std::move(options))) {}

  void reconfigure(ClientOptions options) override {
    shared_.options = std::make_shared<const ClientOptions>(with_plain_mirrors(std::move(options)));
    std::lock_guard lock(shared_.mutex);
    shared_.endpoints.clear();  // a registry may have become, or ceased to be, one without TLS
  }

  ClientOptions options() const override { return *shared_.options.load(); }

  Result<Fetched> fetch_manifest(const oci::Reference& reference, const std::string& tag_or_digest,
                                 const Credentials& credentials, const Cancel& cancel) override {
    return from_anywhere<Fetched>(reference, credentials, cancel, [&](Session& session) {
      return registry::fetch_manifest(session, reference, tag_or_digest);
    });
  }

  Result<void> fetch_blob(const oci::Reference& reference, const oci::Descriptor& blob, const std::string& path,
                          const Credentials& credentials, const Progress& progress, const Cancel& cancel) override {
    return from_anywhere<void>(reference, credentials, cancel, [&](Session& session) {
      return download_blob(session, reference, blob, path, progress, cancel);
    });
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
  /// Mirrors of docker.io first, in order; whatever one of them lacks or spoils, the next and the registry itself have.
  /// Credentials are for the registry alone.
  template <typename T, typename Fetch>
  Result<T> from_anywhere(const oci::Reference& reference, const Credentials& credentials, const Cancel& cancel,
                          Fetch fetch) {
    auto options = shared_.options.load();
    if (reference.domain == "docker.io") {
      const Credentials nobody;
      for (const auto& mirror : options->mirrors) {
        Session session(shared_, host_of_server_address(mirror), nobody, cancel);
        auto got = fetch(session);
        if (got || cancel.cancelled()) return got;
      }
    }
    Session session(shared_, reference.domain, credentials, cancel);
    return fetch(session);
  }

  Shared shared_;
};

}  // namespace

std::unique_ptr<Client> make_client(ClientOptions options) {
  return std::make_unique<CurlClient>(std::move(options));
}

}  // namespace sampan::registry
