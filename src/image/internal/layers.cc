#include "image/internal/layers.h"

#include <fcntl.h>

#include "image/archive.h"
#include "image/internal/streams.h"
#include "sys/file.h"

namespace sampan::image {

std::vector<LayerPlace> places_of(const std::vector<std::string>& diff_ids) {
  std::vector<LayerPlace> out;
  std::string parent;
  auto chains = chain_ids(diff_ids);
  for (size_t i = 0; i < chains.size(); ++i) {
    out.push_back({chains[i], diff_ids[i], parent});
    parent = chains[i];
  }
  return out;
}

Result<std::optional<LayerRow>> Layers::find(const std::string& chain_id) {
  auto row = TRY(tables_.find_layer(chain_id));
  if (row && !snapshots_.exists(key_of_chain(chain_id))) row.reset();
  return row;
}

Result<sys::Fd> Layers::open_blob(const LayerBlob& blob) {
  auto file = sys::open_file(blob.file, O_RDONLY | O_NOFOLLOW);
  if (file || file.error().code() != Code::NotFound) return file;
  return sys::open_file(blobs_.path(blob.digest), O_RDONLY | O_NOFOLLOW);  // another pull has published it meanwhile
}

Result<LayerRow> Layers::unpack(const LayerPlace& place, const LayerBlob& blob,
                                const std::function<void(int64_t)>& on_bytes, const Cancel& cancel) {
  auto file = TRY(open_blob(blob));
  std::string dir = TRY(snapshots_.prepare_layer(key_of_chain(place.chain_id)));
  auto root = TRY(sys::open_file(dir, O_RDONLY | O_DIRECTORY));
  sys::FdSource raw(file.get());
  HashingSource compressed(raw, cancel, on_bytes);
  auto inflated = make_decompressor(compressed);
  HashingSource tar(*inflated, cancel);
  UnpackOptions options{.whiteouts = Whiteouts::ToOverlay, .max_bytes = blobs_.free_bytes()};
  auto result = TRY(unpack_tar(tar, root.get(), options, cancel));
  TRY(drain(tar));
  TRY(drain(compressed));
  LayerRow row{place.chain_id, place.diff_id, place.parent, static_cast<int64_t>(result.bytes),
               tar.bytes(),    blob.digest,   blob.size,    blob.media_type};
  if (std::string actual = tar.digest(); actual != place.diff_id) {
    return fail(Code::DataLoss, "layer {} does not match its diff id {}: its content is {}", blob.digest, place.diff_id,
                actual);
  }
  if (compressed.digest() != blob.digest) {
    return fail(Code::DataLoss, "filesystem layer verification failed for digest {}", blob.digest);
  }
  return row;
}

Result<void> Layers::add(const LayerPlace& place, const LayerBlob& blob, const std::function<void(int64_t)>& on_bytes,
                         const Cancel& cancel) {
  const SnapshotKey key = key_of_chain(place.chain_id);
  auto row = unpack(place, blob, on_bytes, cancel);
  if (!row) {
    (void)snapshots_.discard_layer(key);  // recover() removes what this could not
    return std::move(row).error();
  }
  TRY(snapshots_.commit_layer(key, optional_key(place.parent), static_cast<uint64_t>(row->size)));
  TRY(publish(blob.file, blob.digest));
  return tables_.put_layer(*row);
}

Result<void> Layers::publish(const std::string& file, const std::string& digest) {
  Cancel never;
  auto held = TRY(lock_blob(digest, never));
  if (file == blobs_.path(digest)) return {};
  if (blobs_.has(digest)) return sys::remove_file(file);
  return blobs_.publish(file, digest);
}

Result<void> Layers::write_tar(const LayerRow& layer, ByteSink& out, const Cancel& cancel) {
  HashingSink hashed(&out);
  if (blobs_.has(layer.blob)) {
    auto file = TRY(sys::open_file(blobs_.path(layer.blob), O_RDONLY | O_NOFOLLOW));
    sys::FdSource raw(file.get());
    auto inflated = make_decompressor(raw);
    TRY(copy_stream(*inflated, hashed, cancel));
  } else {
    auto root = TRY(sys::open_file(snapshots_.diff_dir(key_of_chain(layer.chain_id)), O_RDONLY | O_DIRECTORY));
    TRY(pack_tar(root.get(), "", hashed, PackOptions{.whiteouts = Whiteouts::ToOverlay}, cancel));
  }
  if (std::string actual = hashed.digest(); actual != layer.diff_id) {
    return fail(Code::DataLoss, "layer {} no longer has its content: found {}", layer.diff_id, actual);
  }
  return {};
}

Result<bool> Layers::collect(const LayerRow& layer) {
  Cancel never;
  {
    auto held = TRY(lock_chain(layer.chain_id, never));
    if (leases_.is_leased(layer.chain_id) || TRY(tables_.is_layer_referenced(layer.chain_id))) return false;
    auto removed = snapshots_.remove(key_of_chain(layer.chain_id));
    if (!removed) {
      if (removed.error().code() == Code::Conflict) return false;  // a container or a layer above still stands on it
      return std::move(removed).error();
    }
    TRY(tables_.delete_layer(layer.chain_id));
  }
  if (layer.blob.empty()) return true;
  auto held = TRY(lock_blob(layer.blob, never));
  if (!leases_.is_leased(layer.blob) && !TRY(tables_.is_blob_referenced(layer.blob))) TRY(blobs_.remove(layer.blob));
  return true;
}

}  // namespace sampan::image
