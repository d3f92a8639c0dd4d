#pragma once
// image: images, their layers and names; archives in and out.
//
// An image's Id is the digest of its configuration, as in Docker's classic store; manifests and indexes are kept whole
// beside it. Blobs are verified before they get their name; a layer is unpacked once, by openat2 inside its own
// directory, and counts only when its commit row is there.
//
//   chain id  sha256 over the diff ids up to a layer (OCI image-spec config.md): the snapshot's key is its hex.
//
// Threads: any. Reads come from the store; pulls of the same layer share one download.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/ids.h"
#include "base/io.h"
#include "base/result.h"
#include "oci/image.h"
#include "oci/reference.h"
#include "registry/registry.h"
#include "snapshot/snapshot.h"
#include "store/store.h"

namespace sampan::image {

struct ImageRecord {
  std::string id;  // "sha256:<hex>"
  oci::Image config;
  std::string config_json;                // the exact bytes
  std::vector<std::string> repo_tags;     // familiar, "busybox:latest"
  std::vector<std::string> repo_digests;  // "busybox@sha256:..."
  std::string parent;                     // local parent image (build, commit), or empty
  int64_t size = 0;                       // bytes of all layers unpacked
  std::optional<SnapshotKey> top;         // nullopt for an image without layers
};

/// One line of a pull, load or build stream. Fields as in Docker's jsonmessage; progress in bytes.
struct ProgressLine {
  std::string id, status, stream;
  int64_t current = 0, total = 0;
  std::string error;
  std::string aux_json;
};
using ProgressSink = std::function<void(const ProgressLine&)>;

struct RemovedImage {
  std::string untagged, deleted;  // one of them
};

/// One line of `docker history`, newest first.
struct HistoryEntry {
  std::string id = {};  // "sha256:...", or "<missing>" for steps of an image that was pulled
  int64_t created = 0;  // seconds since 1970
  std::string created_by = {};
  std::vector<std::string> tags = {};
  int64_t size = 0;
  std::string comment = {};
};

enum class Force { No, Yes };

class Images {
 public:
  virtual ~Images() = default;
  /// Removes temporary blobs, half-unpacked layers and what nobody refers to.
  virtual Result<void> recover() = 0;

  virtual Result<std::vector<ImageRecord>> list() = 0;
  /// By id, unique id prefix ("sha256:" optional), name[:tag] or name@digest. Errors: NotFound ("No such image: x"),
  /// InvalidArgument (ambiguous prefix).
  virtual Result<ImageRecord> get(const std::string& name) = 0;
  virtual Result<std::vector<HistoryEntry>> history(const std::string& name) = 0;
  virtual Result<void> tag(const std::string& image_id, const oci::Reference& target) = 0;
  /// `used_by` answers which containers use an image id: their ids or names, with "running:" before those that run and
  /// "mounting:" before those that only mount it. The image stays when one of these does, or a stopped one and force
  /// is No. Errors: Conflict in Docker's words.
  virtual Result<std::vector<RemovedImage>> remove(
      const std::string& name, Force force, bool prune_parents,
      const std::function<std::vector<std::string>(const std::string&)>& used_by) = 0;

  virtual Result<ImageRecord> pull(const oci::Reference& reference, const std::optional<oci::Platform>& platform,
                                   const registry::Credentials& credentials, const ProgressSink& progress,
                                   const Cancel& cancel) = 0;
  virtual Result<void> push(const oci::Reference& reference, const registry::Credentials& credentials,
                            const ProgressSink& progress, const Cancel& cancel) = 0;
  /// docker save archives and OCI layouts, any compression. Returns what was loaded ("busybox:latest" or an id).
  virtual Result<std::vector<std::string>> load(ByteSource& archive, const ProgressSink& progress,
                                                const Cancel& cancel) = 0;
  virtual Result<void> save(const std::vector<std::string>& names, ByteSink& out, const Cancel& cancel) = 0;
  /// A root filesystem tar becomes a one-layer image. Returns its id.
  virtual Result<std::string> import(ByteSource& tar, const oci::ImageConfig& config, const std::string& message,
                                     const std::optional<oci::Reference>& tag,
                                     const std::optional<oci::Platform>& platform, const Cancel& cancel) = 0;

  /// Turns a container's writable snapshot into a layer above `parent` and stores the new configuration. The snapshot
  /// is copied, not used up, unless `consume`. Empty diff and `config_only`: no layer. Returns the image id.
  struct CommitRequest {
    std::optional<SnapshotKey> writable;  // nullopt: configuration only (an empty layer in history)
    std::string parent_id;                // "" for scratch
    oci::ImageConfig config;
    oci::History history;
    bool consume = false;
  };
  virtual Result<std::string> commit(const CommitRequest& request) = 0;
};

struct ImagesOptions {
  std::string root;  // data root: blobs/ and tmp/ live below it
};
Result<std::unique_ptr<Images>> open_images(store::Store& store, snapshot::Snapshots& snapshots,
                                            registry::Client& client, ImagesOptions options);

}  // namespace sampan::image
