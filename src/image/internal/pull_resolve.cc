#include "image/internal/pull_resolve.h"

namespace sampan::image {
namespace {

constexpr int kMaxDepth = 4;
constexpr size_t kMaxEntries = 1000;

bool is_index(std::string_view type) {
  return type == oci::media::kDockerManifestList || type == oci::media::kOciIndex;
}

/// The exact variant first, then any that fits, then what names no platform.
const oci::Descriptor* choose_entry(const oci::Index& index, const oci::Platform& wanted) {
  const oci::Descriptor* fitting = nullptr;
  const oci::Descriptor* nameless = nullptr;
  for (const auto& entry : index.manifests) {
    if (!entry.platform) {
      if (!nameless) nameless = &entry;
    } else if (*entry.platform == wanted) {
      return &entry;
    } else if (!fitting && oci::platform_matches(*entry.platform, wanted)) {
      fitting = &entry;
    }
  }
  return fitting ? fitting : nameless;
}

Result<void> check_layer(const oci::Descriptor& layer) {
  std::string_view type = layer.media_type;
  if (!layer.urls.empty() || type.find("foreign") != std::string_view::npos ||
      type.find("nondistributable") != std::string_view::npos) {
    return fail(Code::InvalidArgument, "layer {} must be fetched from a foreign address, which is refused",
                layer.digest);
  }
  bool known = type == oci::media::kDockerLayerGzip || type == oci::media::kOciLayer ||
               type == oci::media::kOciLayerGzip || type == oci::media::kOciLayerZstd ||
               type == "application/vnd.docker.image.rootfs.diff.tar" ||
               type == "application/vnd.docker.image.rootfs.diff.tar.zstd";
  if (!known) return fail(Code::InvalidArgument, "unsupported layer media type \"{}\"", type);
  return {};
}

Result<void> check_manifest(const oci::Manifest& manifest) {
  const auto& type = manifest.config.media_type;
  if (type != oci::media::kDockerConfig && type != oci::media::kOciConfig) {
    return fail(Code::InvalidArgument, "unsupported media type {}", type);
  }
  if (manifest.config.size > kConfigLimit) return fail(Code::ResourceExhausted, "image configuration is too large");
  if (manifest.layers.size() > kMaxLayers) return fail(Code::ResourceExhausted, "more than {} layers", kMaxLayers);
  for (const auto& layer : manifest.layers) TRY(check_layer(layer));
  return {};
}

}  // namespace

Result<ResolvedManifest> resolve_manifest(Core& core, const PullTarget& target, const Cancel& cancel) {
  const auto& reference = target.reference;
  const oci::Platform wanted = target.platform.value_or(oci::host_platform());
  ResolvedManifest out;
  auto document = TRY(core.client.fetch_manifest(reference, reference.digest.empty() ? reference.tag : reference.digest,
                                                 target.credentials, cancel));
  out.top = document;
  out.documents.push_back(document);
  for (int depth = 0; is_index(document.media_type); ++depth) {
    if (depth == kMaxDepth) return fail(Code::InvalidArgument, "manifest list is nested too deeply");
    auto index = TRY(oci::parse_index(document.body, document.media_type));
    if (index.manifests.size() > kMaxEntries)
      return fail(Code::ResourceExhausted, "manifest list has too many entries");
    const auto* entry = choose_entry(index, wanted);
    if (!entry) {
      return fail(Code::NotFound, "no matching manifest for {} in the manifest list entries",
                  oci::format_platform(wanted));
    }
    document = TRY(core.client.fetch_manifest(reference, entry->digest, target.credentials, cancel));
    if (static_cast<int64_t>(document.body.size()) != entry->size || document.media_type != entry->media_type) {
      return fail(Code::DataLoss, "manifest {} is not what the manifest list says", entry->digest);
    }
    out.documents.push_back(document);
  }
  out.manifest = TRY(oci::parse_manifest(document.body, document.media_type));
  TRY(check_manifest(out.manifest));
  return out;
}

}  // namespace sampan::image
