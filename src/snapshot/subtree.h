#pragma once
// snapshot/subtree: one directory or file out of a layer's union, as a mount of its own that nobody can write to.

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "oci/spec.h"
#include "snapshot/snapshot.h"

namespace sampan::snapshot {

/// The read-only mount of what `path` leads to in `layer` ("": the whole), symbolic links followed inside it: an
/// overlay of the layers that have the directory, or a bind of the one place that the file or directory comes from.
/// What it names are the layers' own directories, so there is nothing to undo when nobody mounts it.
/// Errors: InvalidArgument (a writable snapshot), NotFound (no such snapshot), the errno (nothing at that path).
Result<oci::Mount> subtree_mount(Snapshots& snapshots, const SnapshotKey& layer, const std::string& path);

}  // namespace sampan::snapshot
