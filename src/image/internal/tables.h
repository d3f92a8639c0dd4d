#pragma once
// The rows behind images: what an image is, which names lead to it, which layers it stands on.
//
//   image_configs    id, the configuration's exact bytes, local parent
//   image_chains     image -> chain ids, bottom first
//   image_tags       domain, path, tag -> image;   image_digests  domain, path, digest -> image
//   image_manifests  manifests and indexes, whole, with the image they lead to
//   image_layers     chain id -> diff id, sizes, the compressed blob (when there is one)

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "store/store.h"

namespace sampan::image {

struct ImageRow {
  std::string id, config, parent;
};
struct NameRow {
  std::string domain, path, label, image_id;  // label: a tag or a digest
  oci::Reference reference() const;
  std::string familiar() const { return reference().familiar(); }
};
struct ManifestRow {
  std::string digest, media_type, body, image_id;
};
struct LayerRow {
  std::string chain_id, diff_id, parent;  // parent: the chain id below, or empty
  int64_t size = 0;                       // bytes unpacked
  int64_t tar_size = 0;                   // bytes of the uncompressed stream
  std::string blob;                       // digest of the compressed stream, empty when only the snapshot has it
  int64_t blob_size = 0;
  std::string blob_type;  // OCI or Docker media type
};

/// sha256 over the diff ids up to each layer. Source: OCI image-spec config.md "Layer ChainID".
std::vector<std::string> chain_ids(const std::vector<std::string>& diff_ids);

/// Typed access; every call is one statement unless it says otherwise. Threads: any.
class Tables {
 public:
  explicit Tables(store::Store& store) : store_(store) {}
  Result<void> create();
  Result<void> transaction(const std::function<Result<void>()>& work) { return store_.transaction(work); }

  Result<std::vector<ImageRow>> images();
  Result<std::optional<ImageRow>> find_image(const std::string& id);
  /// Ids that begin with "sha256:<prefix>".
  Result<std::vector<std::string>> ids_with_prefix(const std::string& hex_prefix);
  Result<std::vector<std::string>> children(const std::string& id);
  /// Image and chain rows; call it in a transaction. An existing image keeps its parent.
  Result<void> put_image(const ImageRow& image, const std::vector<std::string>& chains);
  /// Everything that belongs to the image, its names too; call it in a transaction.
  Result<void> delete_image(const std::string& id);
  Result<int64_t> image_size(const std::string& id);

  Result<std::vector<NameRow>> tags(const std::string& image_id);
  Result<std::vector<NameRow>> repository_tags(const oci::Reference& reference);
  Result<std::vector<NameRow>> digests(const std::string& image_id);
  /// By the reference's digest, or else its tag; nullopt when no image has that name.
  Result<std::optional<std::string>> find_named(const oci::Reference& reference);
  Result<void> put_tag(const oci::Reference& reference, const std::string& image_id);
  Result<void> put_digest(const oci::Reference& reference, const std::string& digest, const std::string& image_id);
  Result<void> delete_tag(const NameRow& row);
  Result<void> delete_digest(const NameRow& row);

  Result<void> put_manifest(const ManifestRow& row);
  Result<std::vector<ManifestRow>> manifests(const std::string& image_id);

  Result<std::optional<LayerRow>> find_layer(const std::string& chain_id);
  Result<std::vector<LayerRow>> layers_of(const std::string& image_id);
  Result<std::vector<LayerRow>> layers();
  Result<std::vector<LayerRow>> unreferenced_layers();
  Result<bool> is_layer_referenced(const std::string& chain_id);
  Result<void> put_layer(const LayerRow& row);
  Result<void> delete_layer(const std::string& chain_id);
  Result<bool> is_blob_referenced(const std::string& digest);
  /// Images that stand on a layer which has no row.
  Result<std::vector<std::string>> images_without_layers();

 private:
  Result<std::vector<LayerRow>> select_layers(const std::string& tail, const std::vector<store::Value>& parameters);
  store::Store& store_;
};

}  // namespace sampan::image
