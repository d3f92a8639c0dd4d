#pragma once
// snapshot: layers on disk and the mounts that unite them. Emits oci::Mounts, knows nothing of runtimes or images.
//
//   snapshots/<key>/diff        what this layer adds: plain files, overlay whiteouts (char 0:0), opaque xattrs
//   snapshots/<key>/work        overlay's scratch, only for a writable one
//   snapshots/.trash/<name>     what is being deleted; anything in it goes, whenever
//
// A layer's key is derived from its chain id; a container's is the container's id. A layer counts only once commit()
// has written its row in the store after one syncfs: a directory without a row is removed by recover(). Removal is the
// other way round: first the row, then a rename into the trash, then the deletion in a thread of its own, so that
// removing a container does not wait for its files.
//
// Threads: any. Two calls about the same key are the caller's to keep apart.

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

  /// A directory to unpack a layer into, not yet a snapshot; give its `diff` path to the unpacker. What an earlier
  /// attempt left is thrown away. Returns the path of `diff`. Errors: AlreadyExists (the snapshot is there).
  virtual Result<std::string> prepare_layer(const SnapshotKey& key) = 0;
  /// Makes the prepared directory durable and visible. Idempotent. Errors: NotFound (not prepared, no such parent).
  virtual Result<void> commit_layer(const SnapshotKey& key, const std::optional<SnapshotKey>& parent,
                                    uint64_t size) = 0;
  /// Throws away what was prepared. Errors: Conflict (it is a snapshot already).
  virtual Result<void> discard_layer(const SnapshotKey& key) = 0;
  virtual bool exists(const SnapshotKey& key) = 0;

  /// A writable snapshot above `parent` (nullopt: an empty root). Its root directory has the mode and owner of the
  /// parent's. Errors: AlreadyExists, NotFound (no such parent), Conflict (the parent is writable).
  virtual Result<void> create_writable(const SnapshotKey& key, const std::optional<SnapshotKey>& parent) = 0;
  /// Turns a writable snapshot's diff into a layer with another key (commit, build); the writable one is used up.
  /// When the layer exists already, it is kept and the writable one removed.
  virtual Result<void> promote(const SnapshotKey& writable, const SnapshotKey& layer, uint64_t size) = 0;
  /// NotFound is success; Conflict while another snapshot has it as parent.
  virtual Result<void> remove(const SnapshotKey& key) = 0;
  virtual Result<SnapshotInfo> info(const SnapshotKey& key) = 0;
  virtual Result<std::vector<SnapshotInfo>> list() = 0;

  /// The mount that unites the snapshot and its parents. Destination is empty: the caller's business. Type "overlay"
  /// with options "lowerdir+=" (nearest first), "upperdir=", "workdir=", or "bind" when there is only one directory.
  /// A read-only snapshot gives a read-only mount. Errors: NotFound (it, or one of its parents).
  virtual Result<oci::Mount> mount(const SnapshotKey& key) = 0;
  /// Path of the snapshot's own `diff` directory.
  virtual std::string diff_dir(const SnapshotKey& key) = 0;
  /// The `diff` directories of the parents, nearest first. It ends below a layer whose root is opaque.
  virtual Result<std::vector<std::string>> parent_diffs(const SnapshotKey& key) = 0;
  /// What the snapshot's diff changes against its parents, sorted by path; costs the changes, not the image. As
  /// Docker: a file copied up but left as it was is no change, a directory with changes below it is Modified, and the
  /// empty files and directories that every container gets as mount targets (/etc/hosts, /dev/console, ...) are not
  /// told.
  virtual Result<std::vector<Change>> changes(const SnapshotKey& key) = 0;
  /// Bytes of the files in the snapshot's own diff, hard links once.
  virtual Result<uint64_t> usage(const SnapshotKey& key) = 0;
};

/// `root` is the directory snapshots/, made when missing. Deletions that are under way end before the destructor does.
Result<std::unique_ptr<Snapshots>> open_overlay_snapshots(store::Store& store, const std::string& root);

/// A detached mount of the snapshot that nobody else sees: for copying in and out of a container that does not run.
/// The returned directory (O_PATH) is the root; it goes with the descriptor.
/// Errors: the errno of fsconfig and fsmount. A writable overlay must not be mounted a second time meanwhile.
Result<sys::DirFd> open_detached(const oci::Mount& mount);

}  // namespace sampan::snapshot
