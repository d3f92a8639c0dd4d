#include "image/archive.h"

#include "image/internal/tar_extract.h"
#include "image/internal/tar_reader.h"
#include "image/internal/tar_tree.h"

namespace sampan::image {

Result<UnpackResult> unpack_tar(ByteSource& source, int root, const UnpackOptions& options, const Cancel& cancel) {
  tar::Reader reader(source);
  tar::Extractor extractor(root, options, cancel);
  TRY(extractor.open());
  tar::Entry entry;
  while (TRY(reader.next(entry))) {
    TRY(cancel.check());
    TRY_CONTEXT(extractor.extract(entry, reader), fmt::format("unpack \"{}\"", entry.name));
  }
  TRY(extractor.finish());
  TRY(reader.drain());
  return extractor.result();
}

Result<void> pack_tar(int root, const std::string& path, ByteSink& out, const PackOptions& options,
                      const Cancel& cancel) {
  return tar::pack_tree(root, path, out, options, cancel);
}

}  // namespace sampan::image
