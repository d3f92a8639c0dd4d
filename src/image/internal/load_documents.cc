#include <set>

#include "base/strings.h"
#include "codec/json.h"
#include "image/internal/archive_documents.h"
#include "image/internal/load.h"

namespace sampan::image {
namespace {

constexpr size_t kManifestJsonLimit = 1 << 20;
constexpr size_t kDocumentLimit = 4 << 20;
constexpr size_t kMaxImages = 1000;
constexpr int kMaxDepth = 4;

bool is_index_type(const std::string& type) {
  return type == oci::media::kOciIndex || type == oci::media::kDockerManifestList;
}
bool is_manifest_type(const std::string& type) {
  return type == oci::media::kOciManifest || type == oci::media::kDockerManifest;
}

Result<std::string> blob_path(const std::string& digest) {
  auto parsed = TRY_CONTEXT(oci::Digest::parse(digest), "invalid archive");
  return "blobs/" + parsed.algorithm() + "/" + parsed.hex();
}

/// A document of an OCI layout, which must be what its descriptor says.
Result<std::string> read_blob(Loader& loader, const oci::Descriptor& descriptor) {
  auto text = TRY(loader.read(TRY(blob_path(descriptor.digest)), kDocumentLimit));
  if (oci::Digest::of_bytes(text).str() != descriptor.digest) {
    return fail(Code::InvalidArgument, "invalid archive: blob {} has other content", descriptor.digest);
  }
  return text;
}

std::string name_of(const oci::Descriptor& descriptor) {
  auto full = descriptor.annotations.find(kContainerdName);
  if (full != descriptor.annotations.end()) return full->second;
  auto name = descriptor.annotations.find(kOciRefName);
  // "latest" alone is a tag of no repository; only a whole reference names an image.
  if (name == descriptor.annotations.end() || name->second.find_first_of(":/") == std::string::npos) return {};
  return name->second;
}

class Layout {
 public:
  explicit Layout(Loader& loader) : loader_(loader) {}

  Result<std::vector<ArchivedImage>> read() {
    auto index = TRY_CONTEXT(codec::from_json<oci::Index>(TRY(loader_.read("index.json", kDocumentLimit))),
                             "invalid archive: index.json");
    if (index.manifests.size() > kMaxImages) return fail(Code::ResourceExhausted, "invalid archive: too many images");
    for (bool any_platform : {false, true}) {
      for (const auto& entry : index.manifests) TRY(visit(entry, name_of(entry), any_platform, 0));
      if (!images_.empty()) return std::move(images_);
    }
    return fail(Code::InvalidArgument, "invalid archive: no image for {}", oci::format_platform(oci::host_platform()));
  }

 private:
  Result<void> visit(const oci::Descriptor& entry, const std::string& name, bool any_platform, int depth) {
    if (++visited_ > kMaxImages || depth > kMaxDepth)
      return fail(Code::ResourceExhausted, "invalid archive: too many manifests");
    bool unknown = entry.platform && entry.platform->os == "unknown";  // attestations
    bool fits = !entry.platform || any_platform || oci::platform_matches(*entry.platform, oci::host_platform());
    if (unknown || !fits) return {};
    if (is_index_type(entry.media_type)) {
      auto index = TRY(oci::parse_index(TRY(read_blob(loader_, entry)), entry.media_type));
      for (const auto& inner : index.manifests) TRY(visit(inner, name, any_platform, depth + 1));
      return {};
    }
    return is_manifest_type(entry.media_type) ? add(entry, name) : Result<void>();
  }

  Result<void> add(const oci::Descriptor& entry, const std::string& name) {
    auto known = by_digest_.find(entry.digest);
    if (known != by_digest_.end()) {  // one image under several names
      if (!name.empty()) images_[known->second].names.push_back(name);
      return {};
    }
    ArchivedImage image;
    auto text = TRY(read_blob(loader_, entry));
    auto manifest = TRY_CONTEXT(oci::parse_manifest(text, entry.media_type), "invalid archive");
    image.config_json = TRY(read_blob(loader_, manifest.config));
    for (const auto& layer : manifest.layers) {
      image.layers.push_back(TRY(blob_path(layer.digest)));
      image.digests.push_back(layer.digest);
    }
    if (!name.empty()) image.names.push_back(name);
    image.manifests.push_back({entry.digest, entry.media_type, std::move(text), ""});
    by_digest_[entry.digest] = images_.size();
    images_.push_back(std::move(image));
    return {};
  }

  Loader& loader_;
  std::vector<ArchivedImage> images_;
  std::map<std::string, size_t> by_digest_;
  size_t visited_ = 0;
};

}  // namespace

Result<std::vector<ArchivedImage>> read_docker_archive(Loader& loader) {
  auto text = TRY(loader.read("manifest.json", kManifestJsonLimit));
  auto saved = TRY_CONTEXT(codec::from_json<std::vector<SavedImage>>(text), "invalid archive: manifest.json");
  if (saved.size() > kMaxImages) return fail(Code::ResourceExhausted, "invalid archive: too many images");
  std::vector<ArchivedImage> out;
  for (auto& item : saved) {
    ArchivedImage image;
    image.config_json = TRY(loader.read(item.config, kDocumentLimit));
    image.layers = std::move(item.layers);
    image.names = std::move(item.repo_tags);
    out.push_back(std::move(image));
  }
  return out;
}

Result<std::vector<ArchivedImage>> read_oci_layout(Loader& loader) {
  return Layout(loader).read();
}

}  // namespace sampan::image
