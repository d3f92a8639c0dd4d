#pragma once
// What the two kinds of archive have in common: an unpacked directory that nobody trusts, and images made from it.

#include <string>
#include <vector>

#include "image/internal/core.h"
#include "image/internal/progress.h"

namespace sampan::image {

/// One image as an archive describes it.
struct ArchivedImage {
  std::string config_json;
  std::vector<std::string> layers;   // paths inside the archive, bottom first
  std::vector<std::string> digests;  // of the layer files, when the archive names them; else empty
  std::vector<std::string> names;    // references
  std::vector<ManifestRow> manifests;
};

class Loader {
 public:
  Loader(Core& core, int root, Reporter& reporter, const Cancel& cancel)
      : core_(core), root_(root), reporter_(reporter), cancel_(cancel) {}
  /// Layers, rows and names. Errors: InvalidArgument (the archive), DataLoss (its content), the errno of our own files.
  Result<std::vector<std::string>> add(const ArchivedImage& image);
  /// A small file of the archive. Errors: InvalidArgument also when it is missing.
  Result<std::string> read(const std::string& path, size_t limit);
  bool has(const std::string& path);

 private:
  Result<void> add_layer(const LayerPlace& place, const std::string& path, const std::string& digest);
  Result<LayerBlob> take_file(const std::string& path, const std::string& digest, const std::string& to);
  Result<std::vector<std::string>> add_names(const std::string& id, const std::vector<oci::Reference>& names);
  Core& core_;
  const int root_;
  Reporter& reporter_;
  const Cancel& cancel_;
};

/// manifest.json of `docker save`.
Result<std::vector<ArchivedImage>> read_docker_archive(Loader& loader);
/// index.json of an OCI layout; the images for this platform.
Result<std::vector<ArchivedImage>> read_oci_layout(Loader& loader);

}  // namespace sampan::image
