#pragma once
// What the operations on images share, and the operations themselves: one file each.

#include "image/image.h"
#include "image/internal/blobs.h"
#include "image/internal/layers.h"
#include "image/internal/tables.h"

namespace sampan::image {

struct Core {
  Core(store::Store& the_store, snapshot::Snapshots& the_snapshots, registry::Client& the_client, std::string root)
      : snapshots(the_snapshots),
        client(the_client),
        tables(the_store),
        blobs(std::move(root)),
        layers(tables, blobs, snapshots) {}
  snapshot::Snapshots& snapshots;
  registry::Client& client;
  Tables tables;
  Blobs blobs;
  Layers layers;
};

using UsedBy = std::function<std::vector<std::string>(const std::string&)>;

inline constexpr int64_t kConfigLimit = 4 << 20;
inline constexpr size_t kMaxLayers = 500;

/// The first twelve hexadecimal digits of a digest.
std::string short_id(std::string_view digest);
/// Now, as an image's `created` has it.
std::string now_rfc3339();

// lookup.cc
/// Errors: NotFound ("No such image: x"), InvalidArgument (ambiguous).
Result<std::string> find_image_id(Core& core, const std::string& name);
/// True when `name` is an id or a prefix of `id`, not a reference.
bool is_id_prefix(const std::string& id, std::string_view name);
Result<ImageRecord> read_record(Core& core, const ImageRow& row);
Result<ImageRecord> get_record(Core& core, const std::string& id);
Result<std::vector<ImageRecord>> list_records(Core& core);
Result<std::vector<HistoryEntry>> image_history(Core& core, const std::string& id);

// One operation each; contracts are those of Images.
Result<void> recover_images(Core& core);
Result<std::vector<RemovedImage>> remove_image(Core& core, const std::string& name, Force force, bool prune_parents,
                                               const UsedBy& used_by);
Result<ImageRecord> pull_image(Core& core, const oci::Reference& reference,
                               const std::optional<oci::Platform>& platform, const registry::Credentials& credentials,
                               const ProgressSink& progress, const Cancel& cancel);
Result<void> push_image(Core& core, const oci::Reference& reference, const registry::Credentials& credentials,
                        const ProgressSink& progress, const Cancel& cancel);
Result<std::vector<std::string>> load_archive(Core& core, ByteSource& archive, const ProgressSink& progress,
                                              const Cancel& cancel);
Result<void> save_archive(Core& core, const std::vector<std::string>& names, ByteSink& out, const Cancel& cancel);
struct ImportRequest {
  const oci::ImageConfig& config;
  const std::string& message;
  const std::optional<oci::Reference>& tag;
  const std::optional<oci::Platform>& platform;
};
Result<std::string> import_rootfs(Core& core, ByteSource& tar, const ImportRequest& request, const Cancel& cancel);
Result<std::string> commit_image(Core& core, const Images::CommitRequest& request);

/// Collects every layer that nobody needs, the topmost first; returns their chain ids.
Result<std::vector<std::string>> collect_layers(Core& core);

/// The configuration's bytes become an image: rows in one transaction with what `more` adds.
Result<std::string> put_image(Core& core, const std::string& config_json, const std::string& parent,
                              const std::function<Result<void>(const std::string& id)>& more);

}  // namespace sampan::image
