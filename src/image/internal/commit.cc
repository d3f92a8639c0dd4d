#include <fcntl.h>

#include "image/archive.h"
#include "image/internal/core.h"
#include "image/internal/scratch_file.h"
#include "image/internal/streams.h"

namespace sampan::image {
namespace {

/// A container's changes as a layer: the digest of its tar first, because that names the layer.
class DiffLayer {
 public:
  DiffLayer(Core& core, SnapshotKey writable, bool consume)
      : core_(core), writable_(std::move(writable)), consume_(consume) {}

  Result<LayerPlace> make(const std::vector<std::string>& parent_diff_ids) {
    ScratchFile tar(core_.blobs.fresh_name("commit"));
    TRY(pack(tar.path()));
    auto diff_ids = parent_diff_ids;
    diff_ids.push_back(diff_id_);
    auto place = places_of(diff_ids).back();
    lease_.emplace(core_.layers.lease({place.chain_id, place.parent}));
    auto held = TRY(core_.layers.lock_chain(place.chain_id, never_));
    if (TRY(core_.layers.find(place.chain_id))) return place;
    auto parent = optional_key(place.parent);
    const SnapshotKey key = key_of_chain(place.chain_id);
    uint64_t size = 0;
    if (consume_) {
      size = TRY(core_.snapshots.usage(writable_));
      TRY(core_.snapshots.promote(writable_, key, size));
    } else {
      auto copied = copy(tar.path(), key);
      if (!copied) {
        (void)core_.snapshots.discard_layer(key);  // recover() removes what this could not
        return std::move(copied).error();
      }
      size = *copied;
      TRY(core_.snapshots.commit_layer(key, parent, size));
    }
    TRY(core_.tables.put_layer(
        {place.chain_id, place.diff_id, place.parent, static_cast<int64_t>(size), tar_size_, "", 0, ""}));
    return place;
  }

 private:
  /// A layer that is moved into place needs no copy: only its digest.
  Result<void> pack(const std::string& path) {
    auto root = TRY(sys::open_file(core_.snapshots.diff_dir(writable_), O_RDONLY | O_DIRECTORY));
    sys::Fd file;
    if (!consume_) file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    sys::FdSink sink(file.get());
    HashingSink hashed(consume_ ? nullptr : &sink);
    TRY(pack_tar(root.get(), "", hashed, PackOptions{.whiteouts = Whiteouts::ToOverlay}, never_));
    tar_size_ = hashed.bytes();
    diff_id_ = hashed.digest();
    return {};
  }

  Result<uint64_t> copy(const std::string& path, const SnapshotKey& key) {
    auto file = TRY(sys::open_file(path, O_RDONLY));
    std::string dir = TRY(core_.snapshots.prepare_layer(key));
    auto root = TRY(sys::open_file(dir, O_RDONLY | O_DIRECTORY));
    sys::FdSource source(file.get());
    return TRY(unpack_tar(source, root.get(), {.whiteouts = Whiteouts::ToOverlay}, never_)).bytes;
  }

  Core& core_;
  const SnapshotKey writable_;
  const bool consume_;
  const Cancel never_;
  std::string diff_id_;
  int64_t tar_size_ = 0;
  std::optional<Leases::Lease> lease_;  // until the image's rows refer to the layer
};

/// The parent's document with the request's configuration, to which the new step is added.
Result<oci::Image> start_config(Core& core, const Images::CommitRequest& request) {
  oci::Image out;
  if (!request.parent_id.empty()) {
    out = TRY(get_record(core, request.parent_id)).config;
  } else {
    auto host = oci::host_platform();
    out.os = host.os;
    out.architecture = host.architecture;
    out.variant = host.variant;
  }
  out.config = request.config;
  out.created = request.history.created.empty() ? now_rfc3339() : request.history.created;
  if (!request.history.author.empty()) out.author = request.history.author;
  out.container.clear();
  return out;
}

}  // namespace

Result<std::string> commit_image(Core& core, const Images::CommitRequest& request) {
  auto config = TRY(start_config(core, request));
  auto step = request.history;
  step.created = config.created;
  step.empty_layer = true;
  std::optional<DiffLayer> layer;
  if (request.writable && !TRY(core.snapshots.changes(*request.writable)).empty()) {
    if (config.rootfs.diff_ids.size() >= kMaxLayers) return fail(Code::ResourceExhausted, "max depth exceeded");
    layer.emplace(core, *request.writable, request.consume);
    config.rootfs.diff_ids.push_back(TRY_CONTEXT(layer->make(config.rootfs.diff_ids), "commit").diff_id);
    step.empty_layer = false;
  }
  config.history.push_back(std::move(step));
  auto id = TRY(put_image(core, oci::format_image(config), request.parent_id, {}));
  // Nothing had changed, or the layer was there already: the writable snapshot is used up all the same.
  if (request.writable && request.consume && core.snapshots.exists(*request.writable))
    TRY(core.snapshots.remove(*request.writable));
  return id;
}

}  // namespace sampan::image
