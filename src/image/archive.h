#pragma once
// image/archive: tar streams in and out of directories, confined by descriptors. Layer unpacking, docker cp, export,
// build contexts and ADD all come through here; the rules against hostile archives live here and nowhere else.
//
// Every entry is resolved below one root descriptor (openat2 RESOLVE_IN_ROOT | NO_MAGICLINKS): absolute names, "..",
// links that lead outside and symlinked parents stay inside. Metadata is set on descriptors, never on paths.
// Source: ../docs security notes; OCI image-spec layer.md.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/io.h"
#include "base/result.h"

namespace sampan::image {

enum class Whiteouts { AsFiles, ToOverlay };  // ToOverlay: .wh.x becomes char 0:0, .wh..wh..opq an xattr
struct UnpackOptions {
  Whiteouts whiteouts = Whiteouts::AsFiles;
  uint64_t max_bytes = 0;              // 0: no budget
  bool no_overwrite_dir_non_dir = false;
  std::optional<std::pair<uint32_t, uint32_t>> chown;   // uid, gid for every entry
  bool strip_special_xattrs = true;    // trusted.overlay.*, user.overlay.*
};
struct UnpackResult {
  uint64_t bytes = 0, entries = 0;
};
/// Unpacks an uncompressed tar below `root`. Errors: InvalidArgument (hostile or broken entry, named),
/// ResourceExhausted (no space, budget). What was unpacked before an error stays: the caller discards the directory.
Result<UnpackResult> unpack_tar(ByteSource& tar, int root, const UnpackOptions& options, const Cancel& cancel);

/// A ByteSource that detects gzip, zstd, bzip2 and xz by magic and inflates; anything else passes through.
std::unique_ptr<ByteSource> make_decompressor(ByteSource& compressed);

struct PackOptions {
  Whiteouts whiteouts = Whiteouts::AsFiles;  // ToOverlay: char 0:0 and opaque xattrs become .wh. entries
  std::string rename_root;                   // "": keep; otherwise the first path component is replaced
  std::function<bool(const std::string& path)> exclude;  // path relative to the root, without a leading slash
  bool follow_top_link = false;
};
/// Writes the tree at `path` below `root` as tar, entries in byte order of their names: the same tree gives the same bytes.
Result<void> pack_tar(int root, const std::string& path, ByteSink& out, const PackOptions& options, const Cancel& cancel);

}  // namespace sampan::image
