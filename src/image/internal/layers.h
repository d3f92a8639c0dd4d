#pragma once
// Layers: a compressed stream becomes a committed snapshot, a row and (mostly) a blob; and a layer's tar comes out
// again.
//
// Order of writing: snapshot (one syncfs), blob (fsync, rename), row. A crash in between leaves things that no row
// names, which recover() removes.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/ids.h"
#include "base/io.h"
#include "image/internal/blobs.h"
#include "image/internal/locks.h"
#include "image/internal/tables.h"
#include "snapshot/snapshot.h"

namespace sampan::image {

inline SnapshotKey key_of_chain(const std::string& chain_id) {
  return SnapshotKey(chain_id.substr(chain_id.find(':') + 1));
}
inline std::optional<SnapshotKey> optional_key(const std::string& chain_id) {
  return chain_id.empty() ? std::nullopt : std::optional<SnapshotKey>(key_of_chain(chain_id));
}

/// Where a layer stands: derived from the configuration's diff ids.
struct LayerPlace {
  std::string chain_id, diff_id, parent;
};
std::vector<LayerPlace> places_of(const std::vector<std::string>& diff_ids);

/// A finished compressed file that becomes the layer's blob.
struct LayerBlob {
  std::string file;  // a temporary, or already at its blob path
  std::string digest;
  int64_t size = 0;
  std::string media_type;
};

class Layers {
 public:
  Layers(Tables& tables, Blobs& blobs, snapshot::Snapshots& snapshots)
      : tables_(tables), blobs_(blobs), snapshots_(snapshots) {}

  /// The row of a layer that is really there.
  Result<std::optional<LayerRow>> find(const std::string& chain_id);
  /// Keeps layers (by chain id) and blobs (by digest) from collection.
  Leases::Lease lease(const std::vector<std::string>& keys) { return leases_.take(keys); }
  /// Two name spaces: an uncompressed bottom layer has one digest for its chain id and its blob. Chain before blob.
  Result<KeyedLocks::Held> lock_chain(const std::string& chain_id, const Cancel& cancel) {
    return locks_.acquire("chain " + chain_id, cancel);
  }
  Result<KeyedLocks::Held> lock_blob(const std::string& digest, const Cancel& cancel) {
    return locks_.acquire("blob " + digest, cancel);
  }

  /// Unpacks `blob` as the layer at `place`, checks its diff id, commits, publishes. Caller holds lock_chain(chain_id).
  /// Errors: DataLoss (the content is not what the configuration names), those of unpack_tar; nothing stays behind.
  Result<void> add(const LayerPlace& place, const LayerBlob& blob, const std::function<void(int64_t)>& on_bytes,
                   const Cancel& cancel);
  /// Gives a file its blob name, or drops it when the blob is there already.
  Result<void> publish(const std::string& file, const std::string& digest);

  /// The layer's tar, exactly the bytes of its diff id. Errors: DataLoss at the end when they are not.
  Result<void> write_tar(const LayerRow& layer, ByteSink& out, const Cancel& cancel);

  /// Removes the layer when no image and no operation needs it; true when it went.
  Result<bool> collect(const LayerRow& layer);

 private:
  Result<sys::Fd> open_blob(const LayerBlob& blob);
  Result<LayerRow> unpack(const LayerPlace& place, const LayerBlob& blob, const std::function<void(int64_t)>& on_bytes,
                          const Cancel& cancel);
  Tables& tables_;
  Blobs& blobs_;
  snapshot::Snapshots& snapshots_;
  KeyedLocks locks_;
  Leases leases_;
};

}  // namespace sampan::image
