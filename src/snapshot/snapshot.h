#pragma once
// snapshot: layers on disk and the mounts that unite them. Emits oci::Mounts, knows nothing of runtimes or images.
//
//   snapshots/<key>/diff        what this layer adds: plain files, overlay whiteouts (char 0:0), opaque xattrs
//   snapshots/<key>/work        overlay's scratch, only for a writable one
//
// A layer's key is derived from its chain id; a container's is the container's id. A layer counts only once commit()
// has written its row in the store after one syncfs: a directory without a row is removed by recover().

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/io.h"
#include "base/result.h"
#include "oci/spec.h"
#include "store/store.h"
#include "sys/fd.h"

namespace sampan::snapshot {

enum class ChangeKind { Modified = 0, Added = 1, Deleted = 2 };
struct Change {
  std::string path;  // absolute, inside the container
  ChangeKind kind = ChangeKind::Modified;
};

struct SnapshotInfo {
  SnapshotKey key;
  std::optional<SnapshotKey> parent;
  bool writable = false;
  uint64_t size = 0;  // bytes of the layer's files
};

class Snapshots {
 public:
  virtual ~Snapshots() = default;
  /// Removes directories without a row and rows without a directory. Runs before anything is created.
  virtual Result<void> recover() = 0;

  /// A directory to unpack a layer into, not yet a snapshot; give its `diff` path to the unpacker.
  virtual Result<std::string> prepare_layer(const SnapshotKey& key) = 0;
  /// Makes the prepared directory durable and visible. Idempotent.
  virtual Result<void> commit_layer(const SnapshotKey& key, const std::optional<SnapshotKey>& parent, uint64_t size) = 0;
  virtual Result<void> discard_layer(const SnapshotKey& key) = 0;
  virtual bool exists(const SnapshotKey& key) = 0;

  /// A writable snapshot above `parent` (nullopt: an empty root).
  virtual Result<void> create_writable(const SnapshotKey& key, const std::optional<SnapshotKey>& parent) = 0;
  /// Turns a writable snapshot's diff into a layer with another key (commit, build); the writable one is used up.
  virtual Result<void> promote(const SnapshotKey& writable, const SnapshotKey& layer, uint64_t size) = 0;
  /// NotFound is success; Conflict while another snapshot has it as parent.
  virtual Result<void> remove(const SnapshotKey& key) = 0;
  virtual Result<SnapshotInfo> info(const SnapshotKey& key) = 0;
  virtual Result<std::vector<SnapshotInfo>> list() = 0;

  /// The mount that unites the snapshot and its parents. Destination is empty: the caller's business.
  /// A read-only snapshot gives a read-only mount.
  virtual Result<oci::Mount> mount(const SnapshotKey& key) = 0;
  /// Path of the snapshot's own `diff` directory.
  virtual std::string diff_dir(const SnapshotKey& key) = 0;
  /// The `diff` directories of the parents, nearest first.
  virtual Result<std::vector<std::string>> parent_diffs(const SnapshotKey& key) = 0;
  /// What the snapshot's diff changes against its parents; costs the changes, not the image.
  virtual Result<std::vector<Change>> changes(const SnapshotKey& key) = 0;
  /// Bytes in the snapshot's own diff.
  virtual Result<uint64_t> usage(const SnapshotKey& key) = 0;
};

Result<std::unique_ptr<Snapshots>> open_overlay_snapshots(store::Store& store, const std::string& root);

/// A detached mount of the snapshot that nobody else sees: for copying in and out of a container that does not run.
/// The returned directory is the root; it goes with the descriptor.
Result<sys::DirFd> open_detached(const oci::Mount& mount);

}  // namespace sampan::snapshot
