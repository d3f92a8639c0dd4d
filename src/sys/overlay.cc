#include "sys/overlay.h"

#include <cerrno>

#include "sys/mount.h"

namespace sampan::sys {
namespace {

enum class Lowers { OneByOne, Joined };

Result<FsContextFd> configure(const OverlayOptions& options, Lowers lowers) {
  auto fs = TRY(open_fs("overlay"));
  TRY(set_fs_string(fs, "source", options.source));
  for (const auto& flag : options.flags) TRY(set_fs_flag(fs, flag));
  for (const auto& [key, value] : options.values)
    if (key != "lowerdir+" || lowers == Lowers::OneByOne) TRY(set_fs_string(fs, key, value));
  if (lowers == Lowers::Joined) TRY(set_fs_string(fs, "lowerdir", join_lower_dirs(options.values)));
  return fs;
}

Result<MountFd> make_mount(const OverlayOptions& options, uint64_t attributes, Lowers lowers) {
  auto fs = TRY(configure(options, lowers));
  return make_fs_mount(fs, attributes);
}

}  // namespace

std::string join_lower_dirs(const std::vector<std::pair<std::string, std::string>>& values) {
  std::string joined;
  for (const auto& [key, value] : values) {
    if (key != "lowerdir+") continue;
    if (!joined.empty()) joined += ':';
    for (char c : value) {
      if (c == ':' || c == '\\') joined += '\\';
      joined += c;
    }
  }
  return joined;
}

Result<MountFd> make_overlay_mount(const OverlayOptions& options, uint64_t attributes) {
  auto made = make_mount(options, attributes, Lowers::OneByOne);
  if (made || made.error().errno_value() != EINVAL) return made;
  // FALLBACK(linux<6.5): some of these kernels refuse "lowerdir+" at once, others only when the mount is made.
  if (join_lower_dirs(options.values).empty()) return made;
  return make_mount(options, attributes, Lowers::Joined);
}

}  // namespace sampan::sys
