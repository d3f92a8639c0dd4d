#include "image/internal/core.h"

namespace sampan::image {
namespace {

/// Chain ids name layers of images; other keys belong to others.
bool is_chain_key(const std::string& key) {
  return key.size() == 64 && key.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<void> drop_rows_without_snapshot(Core& core) {
  for (const auto& layer : TRY(core.tables.layers())) {
    if (!core.snapshots.exists(key_of_chain(layer.chain_id))) TRY(core.tables.delete_layer(layer.chain_id));
  }
  for (const auto& id : TRY(core.tables.images_without_layers())) {
    TRY(core.tables.transaction([&] { return core.tables.delete_image(id); }));
  }
  return {};
}

/// A crash between a snapshot's commit and the layer's row leaves a snapshot that nobody can reach.
Result<void> drop_snapshots_without_row(Core& core) {
  auto snapshots = TRY(core.snapshots.list());
  for (bool progress = true; progress;) {
    progress = false;
    for (auto& info : snapshots) {
      if (info.writable || info.key.empty() || !is_chain_key(info.key.str())) continue;
      if (TRY(core.tables.find_layer("sha256:" + info.key.str()))) continue;
      auto removed = core.snapshots.remove(info.key);
      if (!removed && removed.error().code() != Code::Conflict) return removed;
      if (!removed) continue;  // something stands on it
      info.key = {};
      progress = true;
    }
  }
  return {};
}

Result<void> drop_blobs_without_row(Core& core) {
  for (const auto& digest : TRY(core.blobs.list())) {
    if (!TRY(core.tables.is_blob_referenced(digest))) TRY(core.blobs.remove(digest));
  }
  return {};
}

}  // namespace

Result<void> recover_images(Core& core) {
  TRY(core.blobs.clean_tmp());
  TRY(drop_rows_without_snapshot(core));
  TRY(collect_layers(core));
  TRY(drop_snapshots_without_row(core));
  return drop_blobs_without_row(core);
}

}  // namespace sampan::image
