#pragma once
// image/tar_tree: a directory tree to a tar stream. See archive.h, pack_tar.

#include <string>

#include "image/archive.h"

namespace sampan::image::tar {

Result<void> pack_tree(int root, const std::string& path, ByteSink& out, const PackOptions& options,
                       const Cancel& cancel);

}  // namespace sampan::image::tar
