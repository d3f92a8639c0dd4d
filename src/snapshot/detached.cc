// snapshot/detached: a snapshot's mount that exists only as long as its descriptor.

#include <fcntl.h>

#include "base/strings.h"
#include "snapshot/snapshot.h"
#include "sys/mount.h"
#include "sys/overlay.h"

namespace sampan::snapshot {
namespace {

bool is_read_only(const oci::Mount& mount) {
  return std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
}

Result<sys::MountFd> mount_overlay(const oci::Mount& mount) {
  sys::OverlayOptions overlay;
  for (const auto& option : mount.options) {
    if (option == "ro" || option == "rw") continue;
    auto pair = split_once(option, '=');
    if (pair)
      overlay.values.emplace_back(pair->first, pair->second);
    else
      overlay.flags.push_back(option);
  }
  return sys::make_overlay_mount(overlay, is_read_only(mount) ? sys::attr::kReadOnly : 0);
}

Result<sys::MountFd> mount_bind(const oci::Mount& mount) {
  auto bound = TRY(sys::clone_mount(AT_FDCWD, mount.source, sys::Recursive::No));
  if (is_read_only(mount)) TRY(sys::change_mount(bound.get(), {.set = sys::attr::kReadOnly}, sys::Recursive::No));
  return bound;
}

}  // namespace

Result<sys::DirFd> open_detached(const oci::Mount& mount) {
  if (mount.type != "overlay" && mount.type != "bind")
    return fail(Code::InvalidArgument, "a snapshot mount of type \"{}\"", mount.type);
  auto made = TRY_CONTEXT(mount.type == "overlay" ? mount_overlay(mount) : mount_bind(mount), "mount snapshot");
  return std::move(made).as<sys::DirFdTag>();
}

}  // namespace sampan::snapshot
