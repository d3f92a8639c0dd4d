#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/safe_path.h"

namespace sampan::runtime::internal {
namespace {

// What may lie over a file of procfs: read-only views that tools like lxcfs provide, and nothing that steers the
// kernel.
constexpr std::string_view kProcAllowed[] = {"/proc/cpuinfo",
                                             "/proc/diskstats",
                                             "/proc/meminfo",
                                             "/proc/stat",
                                             "/proc/swaps",
                                             "/proc/uptime",
                                             "/proc/loadavg",
                                             "/proc/slabinfo",
                                             "/proc/net/dev",
                                             "/proc/sys/kernel/ns_last_pid",
                                             "/proc/sys/crypto/fips_enabled"};

/// proc and sysfs go onto a real directory only: an image whose /proc is a link would have the container's processes
/// write where they think procfs is (CVE-2019-19921, CVE-2023-28642).
Result<sys::Fd> ordinary_directory(Child& child, const std::string& destination, const std::string& type) {
  auto [parent, name] = TRY(sys::open_parent_in_root(child.root.get(), destination));
  if (::mkdirat(parent.get(), name.c_str(), 0755) < 0 && errno != EEXIST) return sys::sys_error("mkdir", destination);
  auto found = TRY(sys::open_at(parent.get(), name, O_PATH | O_NOFOLLOW));
  if (!S_ISDIR(TRY(sys::stat_fd(found.get())).st_mode))
    return fail(Code::InvalidArgument, "filesystem \"{}\" must be mounted on ordinary directory", type);
  return found;
}

Result<sys::Fd> open_target(Child& child, const std::string& destination, bool directory) {
  auto found = sys::open_in_root(child.root.get(), destination, O_PATH);
  if (found || found.error().errno_value() != ENOENT) return found;
  if (directory) return TRY(sys::make_dirs_in_root(child.root.get(), destination, 0755)).as<sys::FdTag>();
  return sys::create_file_in_root(child.root.get(), destination, 0755, sys::FileType::Any);
}

Result<void> refuse_inside_proc(const sys::MountFd& mount, int target, const std::string& destination) {
  if (TRY(sys::fs_facts(target)).magic != sys::magic::kProc) return {};
  if (TRY(sys::fs_facts(mount.get())).magic == sys::magic::kProc)
    return {};  // one procfs over another, as rbind of /proc
  if (std::find(std::begin(kProcAllowed), std::end(kProcAllowed), destination) != std::end(kProcAllowed)) return {};
  return fail(Code::InvalidArgument, "\"{}\" cannot be mounted because it is inside /proc", destination);
}

Result<sys::MountFd> make_filesystem(const PreparedMount& prepared) {
  const auto& mount = *prepared.mount;
  auto fs = TRY(sys::open_fs(mount.type));
  if (!mount.source.empty()) TRY(sys::set_fs_string(fs, "source", mount.source));
  for (const auto& flag : prepared.options.flags) TRY(sys::set_fs_flag(fs, flag));
  for (const auto& [key, value] : prepared.options.values) TRY(sys::set_fs_string(fs, key, value));
  // With "tmpcopyup" the copy comes first and the read-only attribute after it.
  uint64_t attributes = prepared.options.set | prepared.options.recursive_set;
  if (prepared.options.copy_up) attributes &= ~sys::attr::kReadOnly;
  auto made = TRY(sys::make_fs_mount(fs, attributes));
  uint64_t propagation = prepared.options.propagation | prepared.options.recursive_propagation;
  if (propagation != 0) TRY(sys::change_mount(made.get(), {.propagation = propagation}, sys::Recursive::No));
  return made;
}

Result<void> copy_up(Child& child, const PreparedMount& prepared, const sys::MountFd& made) {
  auto below = sys::open_in_root(child.root.get(), prepared.mount->destination, O_RDONLY | O_DIRECTORY);
  if (below) {
    auto info = TRY(sys::stat_fd(below->get()));
    auto top = TRY(sys::open_at(made.get(), ".", O_RDONLY | O_DIRECTORY));
    TRY(copy_directory(below->get(), top.get()));
    bool own_mode = std::any_of(prepared.options.values.begin(), prepared.options.values.end(),
                                [](const auto& pair) { return pair.first == "mode"; });
    if (!own_mode && ::fchmod(top.get(), info.st_mode & 07777) < 0) return sys::sys_error("fchmod");
    if (::fchown(top.get(), info.st_uid, info.st_gid) < 0) return sys::sys_error("fchown");
  } else if (below.error().errno_value() != ENOENT) {
    return std::move(below).error();
  }
  if (!prepared.options.read_only()) return {};
  return sys::change_mount(made.get(), {.set = sys::attr::kReadOnly}, sys::Recursive::No);
}

/// A tmpfs without a mode of its own looks like the directory that it covers.
Result<void> keep_mode(Child& child, const PreparedMount& prepared, const sys::MountFd& made) {
  const auto& values = prepared.options.values;
  if (std::any_of(values.begin(), values.end(), [](const auto& pair) { return pair.first == "mode"; })) return {};
  auto below = sys::open_in_root(child.root.get(), prepared.mount->destination, O_PATH | O_DIRECTORY);
  if (!below) return {};  // there is none; whatever else is wrong shows when the mount is attached
  auto top = TRY(sys::open_at(made.get(), ".", O_RDONLY | O_DIRECTORY));
  if (::fchmod(top.get(), TRY(sys::stat_fd(below->get())).st_mode & 07777) < 0) return sys::sys_error("fchmod");
  return {};
}

Result<void> mount_one(Child& child, const PreparedMount& prepared) {
  const auto& mount = *prepared.mount;
  if (prepared.source.valid()) return attach_in_root(child, prepared.source, mount.destination, "bind");
  if (mount.type == "cgroup" || mount.type == "cgroup2") return mount_cgroups(child, prepared);
  auto made = TRY(make_filesystem(prepared));
  if (prepared.options.copy_up)
    TRY_CONTEXT(copy_up(child, prepared, made), "tmpcopyup");
  else if (mount.type == "tmpfs" && !prepared.options.read_only())
    TRY(keep_mode(child, prepared, made));
  return attach_in_root(child, made, mount.destination, mount.type);
}

}  // namespace

Result<void> attach_in_root(Child& child, const sys::MountFd& mount, const std::string& destination,
                            const std::string& type) {
  bool strict = type == "proc" || type == "sysfs";
  bool directory = S_ISDIR(TRY(sys::stat_fd(mount.get())).st_mode);
  auto target = TRY(strict ? ordinary_directory(child, destination, type) : open_target(child, destination, directory));
  TRY(refuse_inside_proc(mount, target.get(), destination));
  auto root = TRY(sys::stat_fd(child.root.get())), there = TRY(sys::stat_fd(target.get()));
  if (root.st_dev == there.st_dev && root.st_ino == there.st_ino)
    return fail(Code::InvalidArgument, "mount destination \"{}\" is the root directory", destination);
  if (directory && !S_ISDIR(there.st_mode))
    return fail(Code::InvalidArgument,
                "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? "
                "Check if the specified host path exists and is the expected type");
  if (!directory && S_ISDIR(there.st_mode))
    return fail(Code::InvalidArgument,
                "not a directory: Are you trying to mount a file onto a directory (or vice-versa)? "
                "Check if the specified host path exists and is the expected type");
  return sys::attach_mount(mount, target.get());
}

Result<void> mount_all(Child& child) {
  if (!child.container->own_mount_namespace) return {};
  for (const auto& prepared : child.container->mounts) {
    const auto& mount = *prepared.mount;
    auto mounted = mount_one(child, prepared);
    if (!mounted)
      return std::move(mounted).error().context(fmt::format("error mounting \"{}\" to rootfs at \"{}\"",
                                                            mount.source.empty() ? mount.type : mount.source,
                                                            mount.destination));
  }
  if (child.container->init_program.valid())
    TRY(attach_in_root(child, child.container->init_program, "/sbin/docker-init", "bind"));
  return {};
}

Result<void> mount_cgroups(Child& child, const PreparedMount& prepared) {
  const auto& binds = child.container->cgroup_binds;
  const std::string& destination = prepared.mount->destination;
  if (binds.size() == 1 && binds[0].first.empty())
    return attach_in_root(child, binds[0].second, destination, "cgroup2");
  auto fs = TRY(sys::open_fs("tmpfs"));
  TRY(sys::set_fs_string(fs, "source", "cgroup"));
  TRY(sys::set_fs_string(fs, "mode", "755"));
  uint64_t attributes = prepared.options.set | prepared.options.recursive_set;
  auto top = TRY(sys::make_fs_mount(fs, attributes & ~sys::attr::kReadOnly));
  TRY(attach_in_root(child, top, destination, "tmpfs"));
  for (const auto& [name, mount] : binds) {
    if (::mkdirat(top.get(), name.c_str(), 0755) < 0) return sys::sys_error("mkdir", name);
    auto target = TRY(sys::open_at(top.get(), name, O_PATH | O_NOFOLLOW | O_DIRECTORY));
    TRY_CONTEXT(sys::attach_mount(mount, target.get()), name);
  }
  for (const auto& [name, target] : child.container->cgroup_links)
    if (::symlinkat(target.c_str(), top.get(), name.c_str()) < 0) return sys::sys_error("symlink", name);
  if (!prepared.options.read_only()) return {};
  return sys::change_mount(top.get(), {.set = sys::attr::kReadOnly}, sys::Recursive::No);
}

}  // namespace sampan::runtime::internal
