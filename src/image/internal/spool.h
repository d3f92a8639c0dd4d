#pragma once
// A tar stream of unknown digest, spooled: its diff id, and a gzip file that can become the layer's blob.

#include <string>

#include "image/internal/core.h"

namespace sampan::image {

struct SpooledLayer {
  LayerBlob blob;
  std::string diff_id;
  int64_t tar_size = 0;
};
/// Reads `tar` (uncompressed) to its end into a gzip file at `path`. The same bytes give the same blob.
Result<SpooledLayer> spool_layer(ByteSource& tar, const std::string& path, const Cancel& cancel);

}  // namespace sampan::image
