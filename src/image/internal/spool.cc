#include "image/internal/spool.h"

#include <fcntl.h>

#include "image/internal/streams.h"
#include "sys/file.h"

namespace sampan::image {

Result<SpooledLayer> spool_layer(ByteSource& tar, const std::string& path, const Cancel& cancel) {
  auto file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  sys::FdSink sink(file.get());
  HashingSink compressed(&sink);
  GzipSink gzip(compressed);
  HashingSource hashed(tar, cancel);
  TRY(copy_stream(hashed, gzip, cancel));
  TRY(gzip.finish());
  SpooledLayer out;
  out.tar_size = hashed.bytes();
  out.diff_id = hashed.digest();
  out.blob = {path, "", compressed.bytes(), std::string(oci::media::kDockerLayerGzip)};
  out.blob.digest = compressed.digest();
  return out;
}

}  // namespace sampan::image
