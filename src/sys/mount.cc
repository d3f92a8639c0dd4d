#include "sys/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "sys/error.h"
#include "sys/staged_mount.h"

// The old interface's calls, declared here because <sys/mount.h> and <linux/mount.h> cannot be included together.
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*);
extern "C" int umount2(const char*, int);

namespace sampan::sys {
namespace {

constexpr unsigned long kMsRecursive = 1 << 14;
constexpr int kMntDetach = 2;

/// What the filesystem context has to say, its newest error line first.
std::string kernel_words(int fs) {
  std::string words;
  char line[512];
  for (int i = 0; i < 8; ++i) {
    ssize_t n = ::read(fs, line, sizeof line);
    if (n <= 0) break;
    std::string_view text(line, static_cast<size_t>(n));
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (text.starts_with("e ")) words = std::string(text.substr(2));
  }
  return words;
}

Error fs_error(const char* call, const std::string& operand, const FsContextFd& fs) {
  int err = errno;
  std::string words = kernel_words(fs.get());
  Error error = sys_error_of(err, call, operand);
  if (words.empty()) return error;
  return Error(error.code(), error.root_message() + " (" + words + ")", err);
}

long fsconfig(int fs, unsigned command, const char* key, const char* value) {
  return ::syscall(SYS_fsconfig, fs, command, key, value, 0);
}

}  // namespace

Result<FsContextFd> open_fs(const std::string& type) {
  if (mounts_are_staged()) return staged::open_context(type);
  long fd = ::syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC);
  if (fd < 0) return sys_error("fsopen", type);
  return FsContextFd(static_cast<int>(fd));
}

Result<void> set_fs_string(const FsContextFd& fs, const std::string& key, const std::string& value) {
  if (mounts_are_staged()) return staged::add_to_context(fs, key, &value);
  if (fsconfig(fs.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str()) < 0)
    return fs_error("fsconfig", key + "=" + value, fs);
  return {};
}

Result<void> set_fs_flag(const FsContextFd& fs, const std::string& key) {
  if (mounts_are_staged()) return staged::add_to_context(fs, key, nullptr);
  if (fsconfig(fs.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr) < 0) return fs_error("fsconfig", key, fs);
  return {};
}

Result<MountFd> make_fs_mount(const FsContextFd& fs, uint64_t attributes) {
  if (mounts_are_staged()) return staged::make_mount(fs, attributes);
  if (fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) return fs_error("fsconfig create", "", fs);
  long fd = ::syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes));
  if (fd < 0) return fs_error("fsmount", "", fs);
  return MountFd(static_cast<int>(fd));
}

Result<MountFd> clone_mount(int dir, const std::string& path, Recursive recursive) {
  if (mounts_are_staged()) return staged::clone(dir, path, recursive);
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (recursive == Recursive::Yes) flags |= AT_RECURSIVE;
  if (path.empty()) flags |= AT_EMPTY_PATH;
  long fd = ::syscall(SYS_open_tree, dir, path.c_str(), flags);
  if (fd < 0) return sys_error("open_tree", path);
  return MountFd(static_cast<int>(fd));
}

Result<void> change_mount(int mount, const MountChange& change, Recursive recursive) {
  if (mounts_are_staged()) return staged::change(mount, change, recursive);
  mount_attr attributes = {};
  attributes.attr_set = change.set;
  attributes.attr_clr = change.clear;
  attributes.propagation = change.propagation;
  if (change.userns >= 0) attributes.userns_fd = static_cast<uint64_t>(change.userns);
  unsigned flags = AT_EMPTY_PATH | (recursive == Recursive::Yes ? AT_RECURSIVE : 0);
  if (::syscall(SYS_mount_setattr, mount, "", flags, &attributes, sizeof attributes) < 0)
    return sys_error("mount_setattr");
  return {};
}

Result<void> attach_mount(const MountFd& mount, int target) {
  if (mounts_are_staged()) return staged::attach(mount.get(), target);
  if (::syscall(SYS_move_mount, mount.get(), "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    return sys_error("move_mount");
  return {};
}

Result<void> attach_mount_at(int mount, const std::string& path) {
  if (mounts_are_staged()) return staged::attach_at(mount, path);
  if (::syscall(SYS_move_mount, mount, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return sys_error("move_mount", path);
  return {};
}

Result<void> set_root_propagation(uint64_t propagation, Recursive recursive) {
  unsigned long flags = propagation | (recursive == Recursive::Yes ? kMsRecursive : 0);
  if (::mount(nullptr, "/", nullptr, flags, nullptr) < 0) return sys_error("mount propagation", "/");
  return {};
}

Result<void> detach_mount(const std::string& path) {
  if (::umount2(path.c_str(), kMntDetach) < 0) return sys_error("umount", path);
  return {};
}

Result<void> pivot_to_cwd() {
  if (::syscall(SYS_pivot_root, ".", ".") < 0) return sys_error("pivot_root");
  staged::leave_behind();
  return {};
}

Result<FsFacts> fs_facts(int fd) {
  struct statfs info;
  if (::fstatfs(fd, &info) < 0) return sys_error("fstatfs");
  return FsFacts{static_cast<uint64_t>(info.f_type), static_cast<uint64_t>(info.f_flags)};
}

}  // namespace sampan::sys
