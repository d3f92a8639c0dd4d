#include <set>

#include "base/strings.h"
#include "codec/json.h"
#include "image/internal/archive_documents.h"
#include "image/internal/bundle_writer.h"
#include "image/internal/core.h"

namespace sampan::image {
namespace {

struct Selected {
  std::string id;
  std::vector<oci::Reference> tags;
};

/// `save busybox` takes every tag of the repository, `save busybox:1` that one, an id none.
Result<std::vector<Selected>> select_images(Core& core, const std::vector<std::string>& names) {
  std::vector<Selected> out;
  auto add = [&](const std::string& id, const oci::Reference* tag) {
    auto found = std::find_if(out.begin(), out.end(), [&](const auto& item) { return item.id == id; });
    if (found == out.end()) found = out.insert(out.end(), {id, {}});
    if (tag && std::find(found->tags.begin(), found->tags.end(), *tag) == found->tags.end())
      found->tags.push_back(*tag);
  };
  for (const auto& name : names) {
    auto bare = oci::parse_reference(name, oci::DefaultTag::No);
    if (bare && bare->tag.empty() && bare->digest.empty()) {
      auto rows = TRY(core.tables.repository_tags(*bare));
      for (const auto& row : rows) {
        auto reference = row.reference();
        add(row.image_id, &reference);
      }
      if (!rows.empty()) continue;
    }
    const std::string id = TRY(find_image_id(core, name));
    bool tagged = bare && !bare->tag.empty() && TRY(core.tables.find_named(*bare)) == id;
    add(id, tagged ? &*bare : nullptr);
  }
  return out;
}

std::string blob_name(const std::string& digest) {
  return "blobs/sha256/" + digest.substr(digest.find(':') + 1);
}

/// OCI layout and docker-save documents in one tar, as Docker writes it since version 25.
class Save {
 public:
  Save(Core& core, ByteSink& out, const Cancel& cancel) : core_(core), tar_(out), cancel_(cancel) {}

  Result<void> run(const std::vector<Selected>& images) {
    TRY(tar_.add_directory("blobs"));
    TRY(tar_.add_directory("blobs/sha256"));
    for (const auto& image : images) TRY(add_image(image));
    index_.media_type = oci::media::kOciIndex;
    TRY(tar_.add_file("index.json", oci::format_index(index_)));
    TRY(tar_.add_file("manifest.json", codec::to_json(saved_)));
    TRY(tar_.add_file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    if (!repositories_.empty()) TRY(tar_.add_file("repositories", codec::to_json(repositories_)));
    return tar_.finish();
  }

 private:
  Result<void> add_blob(const std::string& digest, std::string_view content) {
    return written_.insert(digest).second ? tar_.add_file(blob_name(digest), content) : Result<void>();
  }

  Result<void> add_layer(const LayerRow& layer) {
    if (!written_.insert(layer.diff_id).second) return {};
    TRY(tar_.begin_file(blob_name(layer.diff_id), layer.tar_size));
    TRY(core_.layers.write_tar(layer, tar_, cancel_));
    return tar_.end_file();
  }

  Result<void> add_image(const Selected& image) {
    auto record = TRY(get_record(core_, image.id));
    auto layers = TRY(core_.tables.layers_of(image.id));
    if (layers.size() != record.config.rootfs.diff_ids.size())
      return fail(Code::DataLoss, "image {} lacks layers", image.id);
    oci::Manifest manifest{.media_type = std::string(oci::media::kOciManifest)};
    SavedImage saved{.config = blob_name(image.id)};
    for (const auto& layer : layers) {
      TRY(add_layer(layer));
      manifest.layers.push_back(
          {.media_type = std::string(oci::media::kOciLayer), .digest = layer.diff_id, .size = layer.tar_size});
      saved.layers.push_back(blob_name(layer.diff_id));
    }
    TRY(add_blob(image.id, record.config_json));
    manifest.config = {.media_type = std::string(oci::media::kOciConfig),
                       .digest = image.id,
                       .size = static_cast<int64_t>(record.config_json.size())};
    const std::string text = oci::format_manifest(manifest);
    const std::string digest = oci::Digest::of_bytes(text).str();
    TRY(add_blob(digest, text));
    oci::Descriptor entry{
        .media_type = manifest.media_type, .digest = digest, .size = static_cast<int64_t>(text.size())};
    if (!record.config.architecture.empty()) {
      entry.platform = oci::Platform{record.config.os, record.config.architecture, record.config.variant};
    }
    if (image.tags.empty()) index_.manifests.push_back(entry);
    for (const auto& tag : image.tags) {
      saved.repo_tags.push_back(tag.familiar());
      entry.annotations = {{kContainerdName, tag.name() + ":" + tag.tag}, {kOciRefName, tag.tag}};
      index_.manifests.push_back(entry);
      std::string top = layers.empty() ? image.id : layers.back().chain_id;
      repositories_[tag.familiar_name()][tag.tag] = top.substr(top.find(':') + 1);
    }
    saved_.push_back(std::move(saved));
    return {};
  }

  Core& core_;
  BundleWriter tar_;
  const Cancel& cancel_;
  oci::Index index_;
  std::vector<SavedImage> saved_;
  std::map<std::string, std::map<std::string, std::string>> repositories_;
  std::set<std::string> written_;
};

}  // namespace

Result<void> save_archive(Core& core, const std::vector<std::string>& names, ByteSink& out, const Cancel& cancel) {
  if (names.empty()) return fail(Code::InvalidArgument, "no image name given");
  auto images = TRY(select_images(core, names));
  std::vector<std::string> keys;
  for (const auto& image : images) {
    for (const auto& layer : TRY(core.tables.layers_of(image.id)))
      keys.insert(keys.end(), {layer.chain_id, layer.blob});
  }
  auto lease = core.layers.lease(keys);  // an image may be removed while it is written out
  return Save(core, out, cancel).run(images);
}

}  // namespace sampan::image
