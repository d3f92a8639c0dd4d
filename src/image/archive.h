#pragma once
// image/archive: tar streams in and out of directories, confined by descriptors. Layer unpacking, docker cp, export,
// build contexts and ADD all come through here; the rules against hostile archives live here and nowhere else.
//
// Unpacking. Names are cleaned as text first ("/a/../../b" is "b"), then every entry is resolved below one root
// descriptor (openat2 RESOLVE_IN_ROOT | NO_MAGICLINKS): absolute names, links that lead outside and symlinked parents
// stay inside. Metadata is set on descriptors or with NOFOLLOW, never through a path. Missing parents are made 0755
// root:root. A later entry replaces an earlier one of its name; a directory keeps its content when a directory comes
// again. Modification times of directories are set at the end. Never stored, whatever the archive says: xattrs that
// overlayfs gives a meaning to, security.* other than security.capability, and the character device 0:0, which is a
// whiteout to overlayfs. Nothing is synced to disk here: the caller makes one syncfs when all is there.
//
// Packing. Members come in byte order of their names on disk within each directory, a directory before its content; ids
// are numbers, times whole seconds (as Docker's), PAX records only where ustar cannot say it (long names, large
// numbers, xattrs). So the same tree always gives the same bytes: a layer's diff_id can be computed again.
//
// Threads: any; nothing is shared between calls.
// Source: OCI image-spec layer.md; POSIX pax interchange format.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/io.h"
#include "base/result.h"
#include "oci/user_mappings.h"

namespace sampan::image {

/// AsFiles: a name .wh.x is a name like any other. ToOverlay: .wh.x becomes char 0:0, .wh..wh..opq an xattr, and back.
enum class Whiteouts { AsFiles, ToOverlay };

/// Of a tree that is seen from outside of the user namespace that it belongs to: archives have the ids inside. An id
/// without a place on the host is an error of unpacking (InvalidArgument); one without a place inside is packed as it
/// is.
using IdMaps = oci::UserMappings;

struct UnpackOptions {
  Whiteouts whiteouts = Whiteouts::AsFiles;
  uint64_t max_bytes = 0;  // 0: no budget
  bool no_overwrite_dir_non_dir = false;
  std::optional<std::pair<uint32_t, uint32_t>> chown;  // uid, gid for every entry
  bool strip_special_xattrs = true;                    // trusted.overlay.*, user.overlay.*
  std::optional<uint32_t> chmod;                       // permission bits for every file and directory
  IdMaps ids;                                          // also for `chown`
  std::string destination;  // where below `root` the entries go; links still resolve from `root`
};
struct UnpackResult {
  uint64_t bytes = 0, entries = 0;
};
/// Unpacks an uncompressed tar below `root` and reads the source to its end. With Whiteouts::ToOverlay the archive is
/// a layer: `root` must be empty at first, and an entry "./" sets the root's own owner, mode and xattrs; otherwise the
/// root directory stays as it is.
/// Errors: InvalidArgument (hostile or broken entry, named), ResourceExhausted (no space, budget), Cancelled.
/// What was unpacked before an error stays: the caller discards the directory.
Result<UnpackResult> unpack_tar(ByteSource& tar, int root, const UnpackOptions& options, const Cancel& cancel);

/// A ByteSource that detects gzip, zstd, bzip2 and xz by magic and inflates; anything else passes through. Several
/// members one after another are one stream. All in process; memory is bounded (zstd windows up to 128 MiB).
/// Errors from read(): InvalidArgument (damaged or cut off), ResourceExhausted (wants too much memory).
std::unique_ptr<ByteSource> make_decompressor(ByteSource& compressed);

enum class Compression { None, Gzip, Zstd, Bzip2, Xz };
/// What the first bytes of a stream say; 10 are enough to know.
Compression detect_compression(std::string_view head);

struct PackOptions {
  Whiteouts whiteouts = Whiteouts::AsFiles;  // ToOverlay: char 0:0 and opaque xattrs become .wh. entries
  std::string rename_root;                   // "": keep; otherwise the first path component is replaced
  /// Path relative to the root, without a leading slash. An excluded directory's content is left out with it.
  std::function<bool(const std::string& path)> exclude;
  bool follow_top_link = false;
  IdMaps ids;
};
/// Writes the tree at `path` below `root` as tar. Names in the archive follow from the path's spelling:
///   ""              the content of root, without an entry for root itself: "etc/", "etc/passwd" (layers, export)
///   "/a/etc"        the object under its own name: "etc/", "etc/passwd"; "passwd" for "/etc/passwd"
///   "/a/etc/.", "/" the content as Docker names it: "./", "./passwd"
/// Sockets are left out, and what disappears meanwhile; a file that changes while it is read keeps its first size.
/// Errors: NotFound (the path), InvalidArgument (a name over 4096 bytes), whatever the sink answers.
Result<void> pack_tar(int root, const std::string& path, ByteSink& out, const PackOptions& options,
                      const Cancel& cancel);

}  // namespace sampan::image
