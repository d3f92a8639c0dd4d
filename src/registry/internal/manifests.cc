#include "base/strings.h"
#include "codec/json.h"
#include "registry/internal/errors.h"
#include "registry/internal/operations.h"

namespace sampan::registry {
namespace {

constexpr size_t kManifestLimit = 4 << 20;
constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1+";

bool is_manifest_type(std::string_view type) {
  using namespace oci::media;
  return type == kDockerManifest || type == kDockerManifestList || type == kOciManifest || type == kOciIndex;
}

/// The declared type; a registry that declares none (or only "json") leaves it to the document.
Result<std::string> media_type_of(const Response& response, const std::string& familiar) {
  std::string type = to_lower(trim(split(response.header("content-type"), ';')[0]));
  if (is_manifest_type(type)) return type;
  if (type.starts_with(kSchema1)) {
    return fail(Code::InvalidArgument,
                "Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: {}", familiar);
  }
  if (type.empty() || type == "application/json" || type.starts_with("text/plain") ||
      type == "application/octet-stream") {
    auto value = TRY_CONTEXT(codec::parse_json(response.body), "manifest");
    const auto* own = value.is_object() ? value.get_object().if_contains("mediaType") : nullptr;
    std::string text = own && own->is_string() ? std::string(own->get_string()) : std::string();
    if (is_manifest_type(text)) return text;
  }
  return fail(Code::InvalidArgument, "unsupported manifest media type \"{}\" of {}", type, familiar);
}

}  // namespace

Result<Fetched> fetch_manifest(Session& session, const oci::Reference& reference, const std::string& tag_or_digest) {
  const auto wanted = oci::Digest::parse(tag_or_digest);
  const std::string familiar = reference.familiar_name() + (wanted ? "@" : ":") + tag_or_digest;
  Call call{.path = reference.path + "/manifests/" + tag_or_digest,
            .scope = pull_scope(reference),
            .body_limit = kManifestLimit};
  call.headers.push_back(fmt::format("Accept: {}, {}, {}, {}", oci::media::kOciIndex, oci::media::kDockerManifestList,
                                     oci::media::kOciManifest, oci::media::kDockerManifest));
  auto response = TRY(session.send(call));
  if (!response.success()) return pull_error(response, familiar, reference.familiar_name());
  Fetched out;
  out.digest = oci::Digest::of_bytes(response.body);
  // What was asked for by digest is judged by that digest alone; a tag's answer by the digest the registry claims.
  if (wanted && *wanted != out.digest) {
    return fail(Code::DataLoss, "manifest verification failed for digest {}", wanted->str());
  }
  std::string claimed = response.header("docker-content-digest");
  if (!wanted && claimed.starts_with("sha256:") && claimed != out.digest.str()) {
    return fail(Code::DataLoss, "manifest verification failed for digest {}", claimed.substr(0, 80));
  }
  out.media_type = TRY(media_type_of(response, familiar));
  out.body = std::move(response.body);
  return out;
}

Result<oci::Digest> push_manifest(Session& session, const oci::Reference& reference, const std::string& tag_or_digest,
                                  const std::string& body, const std::string& media_type) {
  Call call{.method = "PUT",
            .path = reference.path + "/manifests/" + tag_or_digest,
            .body = body,
            .scope = push_scope(reference)};
  call.headers.push_back("Content-Type: " + media_type);
  auto response = TRY(session.send(call));
  if (!response.success()) return plain_error(response);
  auto digest = oci::Digest::of_bytes(body);
  std::string claimed = response.header("docker-content-digest");
  if (claimed.starts_with("sha256:") && claimed != digest.str()) {
    return fail(Code::DataLoss, "the registry stored manifest {} as {}", digest.str(), claimed.substr(0, 80));
  }
  return digest;
}

}  // namespace sampan::registry
