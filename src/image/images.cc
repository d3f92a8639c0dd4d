#include "image/image.h"

#include "image/internal/core.h"

namespace sampan::image {
namespace {

class StoredImages final : public Images {
 public:
  StoredImages(store::Store& store, snapshot::Snapshots& snapshots, registry::Client& client, std::string root)
      : core_(store, snapshots, client, std::move(root)) {}

  Result<void> create() {
    TRY(core_.tables.create());
    return core_.blobs.create();
  }

  Result<void> recover() override { return recover_images(core_); }
  Result<std::vector<ImageRecord>> list() override { return list_records(core_); }
  Result<ImageRecord> get(const std::string& name) override {
    return get_record(core_, TRY(find_image_id(core_, name)));
  }
  Result<std::vector<HistoryEntry>> history(const std::string& name) override {
    return image_history(core_, TRY(find_image_id(core_, name)));
  }
  Result<void> tag(const std::string& image_id, const oci::Reference& target) override {
    if (!target.digest.empty() || target.tag.empty()) {
      return fail(Code::InvalidArgument, "refusing to create a tag with a digest reference");
    }
    const std::string id = TRY(find_image_id(core_, image_id));
    return core_.tables.put_tag(target, id);
  }
  Result<std::vector<RemovedImage>> remove(const std::string& name, Force force, bool prune_parents,
                                           const UsedBy& used_by) override {
    return remove_image(core_, name, force, prune_parents, used_by);
  }
  Result<ImageRecord> pull(const oci::Reference& reference, const std::optional<oci::Platform>& platform,
                           const registry::Credentials& credentials, const ProgressSink& progress,
                           const Cancel& cancel) override {
    return pull_image(core_, reference, platform, credentials, progress, cancel);
  }
  Result<void> push(const oci::Reference& reference, const registry::Credentials& credentials,
                    const ProgressSink& progress, const Cancel& cancel) override {
    return push_image(core_, reference, credentials, progress, cancel);
  }
  Result<std::vector<std::string>> load(ByteSource& archive, const ProgressSink& progress,
                                        const Cancel& cancel) override {
    return load_archive(core_, archive, progress, cancel);
  }
  Result<void> save(const std::vector<std::string>& names, ByteSink& out, const Cancel& cancel) override {
    return save_archive(core_, names, out, cancel);
  }
  Result<std::string> import(ByteSource& tar, const oci::ImageConfig& config, const std::string& message,
                             const std::optional<oci::Reference>& tag, const std::optional<oci::Platform>& platform,
                             const Cancel& cancel) override {
    return import_rootfs(core_, tar, {config, message, tag, platform}, cancel);
  }
  Result<std::string> commit(const CommitRequest& request) override { return commit_image(core_, request); }

 private:
  Core core_;
};

}  // namespace

Result<std::unique_ptr<Images>> open_images(store::Store& store, snapshot::Snapshots& snapshots,
                                            registry::Client& client, ImagesOptions options) {
  auto images = std::make_unique<StoredImages>(store, snapshots, client, std::move(options.root));
  TRY_CONTEXT(images->create(), "open images");
  return std::unique_ptr<Images>(std::move(images));
}

}  // namespace sampan::image
