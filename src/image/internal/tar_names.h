#pragma once
// image/tar_names: what the name of an archive member may be, and what it means inside a root. Pure.

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "image/archive.h"

namespace sampan::image::tar {

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueName = ".wh..wh..opq";

/// The name as a clean relative path: no empty parts, no ".", ".." taken back as text and never above the root.
/// "" is the root. Errors: InvalidArgument (NUL, a part over 255 bytes, over 4096 bytes, deeper than 512).
Result<std::string> clean_name(std::string_view name);

enum class NameKind {
  Content,
  Whiteout,  // .wh.x
  Opaque,    // .wh..wh..opq
  Ignored,   // AUFS's own files at the top of old layers
};
/// What a clean name means in a layer. Errors: InvalidArgument for names that would whiteout a directory itself or its
/// parent (".wh.", ".wh..", ".wh..."), and for content below or named like a whiteout.
Result<NameKind> classify_layer_name(std::string_view clean);

/// How overlayfs marks the same two things on disk.
inline constexpr const char* kOpaqueXattr = "trusted.overlay.opaque";
bool is_whiteout_device(const struct stat& info);

std::string_view parent_of(std::string_view clean);
std::string_view base_of(std::string_view clean);

}  // namespace sampan::image::tar
