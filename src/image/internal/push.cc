#include <fcntl.h>

#include "codec/json.h"
#include "image/internal/core.h"
#include "image/internal/progress.h"
#include "image/internal/scratch_file.h"
#include "image/internal/spool.h"
#include "image/internal/streams.h"

namespace sampan::image {
namespace {

/// A writer's bytes read as a stream would need a second thread; a layer without a blob is spooled instead.
class GzipLayerFile {
 public:
  static Result<LayerBlob> make(Core& core, const LayerRow& row, const std::string& path, const Cancel& cancel) {
    auto file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    sys::FdSink sink(file.get());
    HashingSink compressed(&sink);
    GzipSink gzip(compressed);
    TRY(core.layers.write_tar(row, gzip, cancel));
    TRY(gzip.finish());
    LayerBlob out{path, "", compressed.bytes(), std::string(oci::media::kDockerLayerGzip)};
    out.digest = compressed.digest();
    return out;
  }
};

class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string_view text) : text_(text) {}
  Result<size_t> read(std::span<char> buffer) override {
    size_t n = std::min(buffer.size(), text_.size());
    std::memcpy(buffer.data(), text_.data(), n);
    text_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view text_;
};

struct PushedManifest {
  std::string body, media_type;
};

class Push {
 public:
  Push(Core& core, const oci::Reference& reference, const registry::Credentials& credentials,
       const ProgressSink& progress, const Cancel& cancel)
      : core_(core), reference_(reference), credentials_(credentials), reporter_(progress), cancel_(cancel) {}

  Result<void> run(const std::string& tag, const std::string& id) {
    auto row = TRY(core_.tables.find_image(id));
    if (!row) return fail(Code::NotFound, "No such image: {}", id);
    auto layers = TRY(core_.tables.layers_of(id));
    for (const auto& layer : layers) reporter_.status(short_id(layer.diff_id), "Preparing");
    for (size_t i = 3; i < layers.size(); ++i) reporter_.status(short_id(layers[i].diff_id), "Waiting");
    auto stored = TRY(find_stored_manifest(id, layers));
    oci::Manifest built;
    for (const auto& layer : layers) built.layers.push_back(TRY(push_layer(layer)));
    TRY(push_config(*row));
    PushedManifest manifest = stored ? *stored : build_manifest(*row, std::move(built));
    auto digest =
        TRY(core_.client.push_manifest(reference_, tag, manifest.body, manifest.media_type, credentials_, cancel_));
    TRY(core_.tables.transaction([&]() -> Result<void> {
      TRY(core_.tables.put_manifest({digest.str(), manifest.media_type, manifest.body, id}));
      return core_.tables.put_digest(reference_, digest.str(), id);
    }));
    reporter_.status("", fmt::format("{}: digest: {} size: {}", tag, digest.str(), manifest.body.size()));
    codec::json::object aux{
        {"Tag", tag}, {"Digest", digest.str()}, {"Size", static_cast<int64_t>(manifest.body.size())}};
    reporter_.line({.aux_json = codec::format_json(aux)});
    return {};
  }

 private:
  /// The manifest the image was pulled with, when every blob it names is still the one we have.
  Result<std::optional<PushedManifest>> find_stored_manifest(const std::string& id,
                                                             const std::vector<LayerRow>& layers) {
    for (const auto& row : TRY(core_.tables.manifests(id))) {
      auto manifest = oci::parse_manifest(row.body, row.media_type);
      if (!manifest || manifest->config.digest != id || manifest->layers.size() != layers.size()) continue;
      bool same = true;
      for (size_t i = 0; i < layers.size(); ++i) {
        same = same && manifest->layers[i].digest == layers[i].blob && core_.blobs.has(layers[i].blob);
      }
      if (same) return std::optional<PushedManifest>(PushedManifest{row.body, row.media_type});
    }
    return std::optional<PushedManifest>();
  }

  Result<oci::Descriptor> push_layer(const LayerRow& row) {
    const std::string id = short_id(row.diff_id);
    ScratchFile scratch(core_.blobs.fresh_name("push"));
    LayerBlob blob{core_.blobs.path(row.blob), row.blob, row.blob_size, row.blob_type};
    if (!core_.blobs.has(row.blob))
      blob = TRY_CONTEXT(GzipLayerFile::make(core_, row, scratch.path(), cancel_), "push");
    oci::Descriptor descriptor{.media_type = blob.media_type, .digest = blob.digest, .size = blob.size};
    auto digest = TRY(oci::Digest::parse(blob.digest));
    if (TRY(core_.client.has_blob(reference_, digest, credentials_, cancel_))) {
      reporter_.status(id, "Layer already exists");
      return descriptor;
    }
    auto file = TRY(sys::open_file(blob.file, O_RDONLY | O_NOFOLLOW));
    sys::FdSource source(file.get());
    auto on_bytes = [&](int64_t current, int64_t total) { reporter_.bytes(id, "Pushing", current, total); };
    TRY(core_.client.push_blob(reference_, descriptor, source, credentials_, on_bytes, cancel_));
    reporter_.status(id, "Pushed");
    return descriptor;
  }

  Result<void> push_config(const ImageRow& row) {
    auto digest = TRY(oci::Digest::parse(row.id));
    if (TRY(core_.client.has_blob(reference_, digest, credentials_, cancel_))) return {};
    oci::Descriptor descriptor{.digest = row.id, .size = static_cast<int64_t>(row.config.size())};
    StringSource source(row.config);
    return core_.client.push_blob(reference_, descriptor, source, credentials_, {}, cancel_);
  }

  /// Docker's schema 2, unless a layer's compression needs the OCI types.
  static PushedManifest build_manifest(const ImageRow& row, oci::Manifest manifest) {
    bool oci_types = std::any_of(manifest.layers.begin(), manifest.layers.end(), [](const auto& layer) {
      return layer.media_type != oci::media::kDockerLayerGzip && layer.media_type != oci::media::kOciLayerGzip;
    });
    for (auto& layer : manifest.layers) {
      bool gzip = layer.media_type == oci::media::kDockerLayerGzip || layer.media_type == oci::media::kOciLayerGzip;
      if (gzip)
        layer.media_type = oci_types ? oci::media::kOciLayerGzip : oci::media::kDockerLayerGzip;
      else if (layer.media_type.find("zstd") != std::string::npos)
        layer.media_type = oci::media::kOciLayerZstd;
      else
        layer.media_type = oci::media::kOciLayer;
    }
    manifest.media_type = oci_types ? oci::media::kOciManifest : oci::media::kDockerManifest;
    manifest.config = {.media_type = std::string(oci_types ? oci::media::kOciConfig : oci::media::kDockerConfig),
                       .digest = row.id,
                       .size = static_cast<int64_t>(row.config.size())};
    return {oci::format_manifest(manifest), manifest.media_type};
  }

  Core& core_;
  const oci::Reference& reference_;
  const registry::Credentials& credentials_;
  Reporter reporter_;
  const Cancel& cancel_;
};

}  // namespace

Result<void> push_image(Core& core, const oci::Reference& reference, const registry::Credentials& credentials,
                        const ProgressSink& progress, const Cancel& cancel) {
  if (!reference.digest.empty()) return fail(Code::InvalidArgument, "cannot push a digest reference");
  std::vector<std::pair<std::string, std::string>> targets;  // tag, image
  const auto rows = TRY(core.tables.repository_tags(reference));
  for (const auto& row : rows) {
    if (reference.tag.empty() || row.label == reference.tag) targets.emplace_back(row.label, row.image_id);
  }
  if (rows.empty())
    return fail(Code::NotFound, "An image does not exist locally with the tag: {}", reference.familiar_name());
  if (targets.empty()) return fail(Code::NotFound, "tag does not exist: {}", reference.familiar());
  if (progress) progress({.status = fmt::format("The push refers to repository [{}]", reference.name())});
  Push push(core, reference, credentials, progress, cancel);
  for (const auto& [tag, id] : targets) TRY(push.run(tag, id));
  return {};
}

}  // namespace sampan::image
