#include "image/internal/tar_names.h"

#include <sys/sysmacros.h>

#include "image/internal/tar_entry.h"

namespace sampan::image::tar {

Result<std::string> clean_name(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) return fail(Code::InvalidArgument, "a NUL byte in a name");
  if (name.size() > kMaxPath)
    return fail(Code::InvalidArgument, "a name of {} bytes; at most {} are allowed", name.size(), kMaxPath);
  std::string clean;
  size_t depth = 0;
  while (!name.empty()) {
    size_t slash = std::min(name.find('/'), name.size());
    std::string_view part = name.substr(0, slash);
    name.remove_prefix(std::min(slash + 1, name.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      clean.resize(parent_of(clean).size());
      if (depth > 0) --depth;
      continue;
    }
    if (part.size() > kMaxComponent) return fail(Code::InvalidArgument, "a name part of {} bytes", part.size());
    if (++depth > kMaxDepth) return fail(Code::InvalidArgument, "a name more than {} directories deep", kMaxDepth);
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

std::string_view parent_of(std::string_view clean) {
  size_t slash = clean.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : clean.substr(0, slash);
}

std::string_view base_of(std::string_view clean) {
  size_t slash = clean.rfind('/');
  return slash == std::string_view::npos ? clean : clean.substr(slash + 1);
}

bool is_whiteout_device(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

Result<NameKind> classify_layer_name(std::string_view clean) {
  std::string_view top = clean.substr(0, std::min(clean.find('/'), clean.size()));
  if (top == ".wh..wh.aufs" || top == ".wh..wh.plnk" || top == ".wh..wh.orph") return NameKind::Ignored;
  std::string_view parent = parent_of(clean);
  if (parent.starts_with(kWhiteoutPrefix) || parent.find("/.wh.") != std::string_view::npos) {
    return fail(Code::InvalidArgument, "an entry below a whiteout");
  }
  std::string_view base = base_of(clean);
  if (!base.starts_with(kWhiteoutPrefix)) return NameKind::Content;
  if (base == kOpaqueName) return NameKind::Opaque;
  std::string_view victim = base.substr(kWhiteoutPrefix.size());
  if (victim.empty() || victim == "." || victim == ".." || victim.starts_with(kWhiteoutPrefix)) {
    return fail(Code::InvalidArgument, "invalid whiteout name \"{}\"", base);
  }
  return NameKind::Whiteout;
}

}  // namespace sampan::image::tar
