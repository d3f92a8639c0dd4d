#include "image/archive.h"
#include "image/internal/core.h"
#include "image/internal/scratch_file.h"
#include "image/internal/spool.h"

namespace sampan::image {

Result<std::string> import_rootfs(Core& core, ByteSource& tar, const ImportRequest& request, const Cancel& cancel) {
  ScratchFile spool(core.blobs.fresh_name("import"));
  auto inflated = make_decompressor(tar);
  auto layer = TRY_CONTEXT(spool_layer(*inflated, spool.path(), cancel), "import");
  auto place = places_of({layer.diff_id})[0];
  auto lease = core.layers.lease({place.chain_id, layer.blob.digest});
  {
    auto held = TRY(core.layers.lock_chain(place.chain_id, cancel));
    if (!TRY(core.layers.find(place.chain_id))) TRY_CONTEXT(core.layers.add(place, layer.blob, {}, cancel), "import");
  }
  oci::Platform platform = request.platform.value_or(oci::host_platform());
  oci::Image config;
  config.created = now_rfc3339();
  config.architecture = platform.architecture;
  config.os = platform.os;
  config.variant = platform.variant;
  config.config = request.config;
  config.rootfs.diff_ids = {layer.diff_id};
  config.history.push_back({.created = config.created,
                            .created_by = "",
                            .author = "",
                            .comment = request.message.empty() ? "Imported from -" : request.message});
  return put_image(core, oci::format_image(config), "", [&](const std::string& id) -> Result<void> {
    return request.tag ? core.tables.put_tag(*request.tag, id) : Result<void>();
  });
}

}  // namespace sampan::image
