#include "image/internal/core.h"
#include "image/internal/fetch_layers.h"
#include "image/internal/progress.h"
#include "image/internal/pull_resolve.h"
#include "sys/file.h"

namespace sampan::image {
namespace {

class Pull {
 public:
  Pull(Core& core, const PullTarget& target, const ProgressSink& progress, const Cancel& cancel)
      : core_(core), target_(target), reporter_(progress), cancel_(cancel) {}

  Result<ImageRecord> run() {
    const auto& reference = target_.reference;
    reporter_.status(reference.digest.empty() ? reference.tag : reference.digest, "Pulling from " + reference.path);
    resolved_ = TRY(resolve_manifest(core_, target_, cancel_));
    const std::string id = resolved_.manifest.config.digest;
    const bool known = TRY(is_complete(id));
    const bool up_to_date = known && TRY(is_named(id));
    if (!known) {
      auto fetched = fetch(id);
      if (!fetched) return forget_downloads(std::move(fetched).error());
    }
    TRY(record(id));
    reporter_.status("", "Digest: " + resolved_.top.digest.str());
    reporter_.status("", (up_to_date ? "Status: Image is up to date for " : "Status: Downloaded newer image for ") +
                             reference.familiar());
    return get_record(core_, id);
  }

 private:
  /// What a broken connection left is resumed by the next try; what turned out to be wrong is not kept.
  Error forget_downloads(Error error) {
    if (error.code() == Code::DataLoss || error.code() == Code::InvalidArgument) {
      for (const auto& layer : resolved_.manifest.layers) (void)sys::remove_file(core_.blobs.partial(layer.digest));
    }
    return error;
  }

  /// The image and each of its layers are really there.
  Result<bool> is_complete(const std::string& id) {
    auto row = TRY(core_.tables.find_image(id));
    if (!row) return false;
    config_json_ = row->config;
    TRY(read_config());
    for (const auto& place : places_) {
      if (!TRY(core_.layers.find(place.chain_id))) return false;
    }
    return true;
  }

  Result<bool> is_named(const std::string& id) {
    auto named = TRY(core_.tables.find_named(target_.reference));
    return named && *named == id;
  }

  Result<void> read_config() {
    config_ = TRY_CONTEXT(oci::parse_image(config_json_), "image configuration");
    if (!config_.os.empty() && config_.os != "linux") {
      return fail(Code::InvalidArgument, "image operating system \"{}\" cannot be used on this platform", config_.os);
    }
    oci::Platform actual{config_.os.empty() ? "linux" : config_.os, config_.architecture, config_.variant};
    if (target_.platform && !config_.architecture.empty() && !oci::platform_matches(actual, *target_.platform)) {
      return fail(Code::NotFound,
                  "image with reference {} was found but its platform ({}) does not match the specified platform ({})",
                  target_.reference.familiar(), oci::format_platform(actual), oci::format_platform(*target_.platform));
    }
    if (config_.rootfs.diff_ids.size() != resolved_.manifest.layers.size()) {
      return fail(Code::InvalidArgument, "image configuration names {} layers, the manifest {}",
                  config_.rootfs.diff_ids.size(), resolved_.manifest.layers.size());
    }
    places_ = places_of(config_.rootfs.diff_ids);
    return {};
  }

  Result<void> fetch_config(const std::string& id) {
    if (!config_json_.empty()) return {};
    auto held = TRY(core_.layers.lock_blob(id, cancel_));
    const std::string file = core_.blobs.partial(id);
    TRY(core_.client.fetch_blob(target_.reference, resolved_.manifest.config, file, target_.credentials, {}, cancel_));
    auto text = sys::read_file(file, kConfigLimit);
    TRY(sys::remove_file(file));
    config_json_ = TRY(std::move(text));
    return read_config();
  }

  Result<void> fetch(const std::string& id) {
    TRY(fetch_config(id));
    std::vector<std::string> keys;
    for (const auto& place : places_) keys.push_back(place.chain_id);
    for (const auto& layer : resolved_.manifest.layers) keys.push_back(layer.digest);
    leases_.emplace(core_.layers.lease(keys));  // kept until the image's rows refer to the layers
    std::vector<const oci::Descriptor*> missing;
    std::vector<size_t> positions;
    for (size_t i = 0; i < places_.size(); ++i) {
      const auto& descriptor = resolved_.manifest.layers[i];
      auto held = TRY(core_.layers.lock_chain(places_[i].chain_id, cancel_));
      bool exists = TRY(core_.layers.find(places_[i].chain_id)).has_value();
      reporter_.status(short_id(descriptor.digest), exists ? "Already exists" : "Pulling fs layer");
      if (exists) continue;
      missing.push_back(&descriptor);
      positions.push_back(i);
    }
    LayerFetcher fetcher(core_, target_, reporter_);
    fetcher.start(missing);
    for (size_t n = 0; n < missing.size(); ++n) TRY(unpack(places_[positions[n]], TRY(fetcher.wait(n, cancel_))));
    return {};
  }

  Result<void> unpack(const LayerPlace& place, const LayerBlob& blob) {
    const std::string id = short_id(blob.digest);
    auto held = TRY(core_.layers.lock_chain(place.chain_id, cancel_));
    if (!TRY(core_.layers.find(place.chain_id))) {
      auto on_bytes = [&](int64_t current) { reporter_.bytes(id, "Extracting", current, blob.size); };
      TRY_CONTEXT(core_.layers.add(place, blob, on_bytes, cancel_), "failed to register layer");
    } else {
      TRY(core_.layers.publish(blob.file, blob.digest));  // another pull unpacked it while we waited
    }
    reporter_.status(id, "Pull complete");
    return {};
  }

  Result<void> record(const std::string& id) {
    const auto& reference = target_.reference;
    TRY(put_image(core_, config_json_, "", [&](const std::string&) -> Result<void> {
      for (const auto& document : resolved_.documents) {
        TRY(core_.tables.put_manifest({document.digest.str(), document.media_type, document.body, id}));
      }
      TRY(core_.tables.put_digest(reference, resolved_.top.digest.str(), id));
      if (!reference.tag.empty() && reference.digest.empty()) TRY(core_.tables.put_tag(reference, id));
      return {};
    }));
    return {};
  }

  Core& core_;
  const PullTarget& target_;
  Reporter reporter_;
  const Cancel& cancel_;
  ResolvedManifest resolved_;
  std::string config_json_;
  oci::Image config_;
  std::vector<LayerPlace> places_;
  std::optional<Leases::Lease> leases_;
};

}  // namespace

Result<ImageRecord> pull_image(Core& core, const oci::Reference& reference,
                               const std::optional<oci::Platform>& platform, const registry::Credentials& credentials,
                               const ProgressSink& progress, const Cancel& cancel) {
  PullTarget target{reference, platform, credentials};
  return Pull(core, target, progress, cancel).run();
}

Result<std::string> put_image(Core& core, const std::string& config_json, const std::string& parent,
                              const std::function<Result<void>(const std::string& id)>& more) {
  auto config = TRY(oci::parse_image(config_json));
  const std::string id = oci::Digest::of_bytes(config_json).str();
  TRY(core.tables.transaction([&]() -> Result<void> {
    TRY(core.tables.put_image({id, config_json, parent}, chain_ids(config.rootfs.diff_ids)));
    return more ? more(id) : Result<void>();
  }));
  return id;
}

}  // namespace sampan::image
