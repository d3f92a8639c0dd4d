#include "sys/overlay.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "sys/error.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/old_mount_flags.h"
#include "sys/staged_mount.h"
#include "sys/user_namespace.h"

// As in mount.cc: <sys/mount.h> cannot be included beside <linux/mount.h>.
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*);

namespace sampan::sys {
namespace {

constexpr size_t kMountDataMax = 4095;  // the kernel copies one page
constexpr size_t kStackSize = 64 << 10;
constexpr unsigned long kMsRecursive = 1 << 14;

bool kernel_takes_lowers_one_by_one() {
  static const bool kTakes = [] {
    utsname names = {};
    int major = 0, minor = 0;
    if (::uname(&names) != 0 || std::sscanf(names.release, "%d.%d", &major, &minor) != 2) return true;
    return major > 6 || (major == 6 && minor >= 5);
  }();
  return kTakes;
}

void append_escaped(std::string& to, std::string_view value) {
  for (char c : value) {
    if (c == ':' || c == '\\' || c == ',') to += '\\';
    to += c;
  }
}

/// A lower directory and the descriptor whose number stands for it.
struct Held {
  const char* path;
  Fd fd;
};

/// Between the caller, who waits, and the child that shares its memory and descriptors.
struct MountApart {
  const char* type;
  const char* source;
  const char* data;
  unsigned long flags;
  const std::vector<Held>& held;
  int covering = -1;  // a detached mount that is put over the directory `covered` first
  const char* covered = nullptr;
  const char* step = "clone";
  int mount = -1;
  int error = 0;
};

/// Puts what the path is in this mount namespace behind the number: an overlay takes no directory of another one.
int reopen(const Held& held) {
  int fd = ::open(held.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = ::dup3(fd, held.fd.get(), O_CLOEXEC);
  ::close(fd);
  return result;
}

/// Nothing here allocates or waits for a lock: the memory is the caller's.
/// "/proc" is only where the file system is seen for a moment; relative lower directories are descriptors.
long mount_steps(MountApart& job) {
  job.step = "unshare";
  if (::unshare(CLONE_NEWNS) != 0) return -1;
  job.step = "mount propagation";
  if (::mount(nullptr, "/", nullptr, kMsRecursive | propagation::kPrivate, nullptr) != 0) return -1;
  job.step = "move_mount";
  if (job.covering >= 0 &&
      ::syscall(SYS_move_mount, job.covering, "", AT_FDCWD, job.covered, MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return -1;
  job.step = "open lower directory";
  for (const auto& held : job.held)
    if (reopen(held) < 0) return -1;
  job.step = "chdir";
  if (::chdir("/proc/self/fd") != 0) return -1;
  job.step = "mount";
  if (::mount(job.source, "/proc", job.type, job.flags, job.data) != 0) return -1;
  // FALLBACK(linux<5.2): the descriptor keeps the mount, but it can be attached nowhere.
  if (mounts_are_staged()) return ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  job.step = "open_tree";
  return ::syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int mount_apart(void* argument) {
  auto& job = *static_cast<MountApart*>(argument);
  job.mount = static_cast<int>(mount_steps(job));
  if (job.mount < 0) job.error = errno;
  return 0;
}

/// Runs the job in a child whose end no one else hears of: it sends no signal, and only __WALL waits for it.
void run_apart(MountApart& job) {
  std::string stack(kStackSize, '\0');
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours may run twice in one memory
  auto top = (reinterpret_cast<uintptr_t>(stack.data()) + kStackSize) & ~uintptr_t{15};
  pid_t pid = ::clone(mount_apart, reinterpret_cast<void*>(top), CLONE_VM | CLONE_VFORK | CLONE_FILES, &job);
  if (pid < 0) job.error = errno;
  while (pid > 0 && ::waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

std::string overlay_mount_data(const OverlayOptions& options) {
  std::string lowers, rest;
  for (const auto& [key, value] : options.values) {
    if (key == "lowerdir+") {
      if (!lowers.empty()) lowers += ':';
      append_escaped(lowers, value);
      continue;
    }
    rest += "," + key + "=";
    append_escaped(rest, value);
  }
  for (const auto& flag : options.flags) rest += "," + flag;
  return "lowerdir=" + lowers + rest;
}

namespace {

/// The options with descriptors' numbers for lower directories, which are shorter than any path.
Result<std::string> short_mount_data(const OverlayOptions& options, const char* before, std::vector<Held>& held) {
  OverlayOptions shorter = options;
  for (size_t i = 0; i < options.values.size(); ++i) {
    const auto& [key, value] = options.values[i];
    if (key != "lowerdir+") continue;
    held.push_back({value.c_str(), TRY(open_file(value, O_PATH | O_DIRECTORY))});
    shorter.values[i].second = before + std::to_string(held.back().fd.get());
  }
  std::string data = overlay_mount_data(shorter);
  if (data.size() > kMountDataMax) return fail(Code::InvalidArgument, "an overlay of {} directories", held.size());
  return data;
}

/// FALLBACK(linux<5.12): the working directory is procfs there.
Result<MountFd> make_staged_overlay(const OverlayOptions& options, uint64_t attributes) {
  std::string data = overlay_mount_data(options);
  std::vector<Held> held;
  if (data.size() > kMountDataMax) data = TRY(short_mount_data(options, "self/fd/", held));
  return staged::mount_filesystem("overlay", options.source, 0, data, attributes);
}

}  // namespace

Result<MountFd> make_mount_apart(const std::string& type, const std::string& source, const std::string& data,
                                 unsigned long flags) {
  const std::vector<Held> none;
  MountApart job{type.c_str(), source.c_str(), data.c_str(), flags, none};
  run_apart(job);
  if (job.mount >= 0) return MountFd(job.mount);
  errno = job.error;
  return sys_error(job.step, type);
}

namespace {

Result<MountFd> mount_overlay_apart(const OverlayOptions& options, uint64_t attributes, int covering,
                                    const char* covered) {
  std::string data = overlay_mount_data(options);
  std::vector<Held> held;
  if (data.size() > kMountDataMax) data = TRY(short_mount_data(options, "", held));
  bool staged = mounts_are_staged();
  MountApart job{"overlay", options.source.c_str(), data.c_str(), staged ? mount_flags_of(attributes) : 0, held};
  job.covering = covering;
  job.covered = covered;
  run_apart(job);
  if (job.mount < 0) {
    errno = job.error;
    return sys_error(job.step, data);
  }
  MountFd made(job.mount);
  MountChange change{.set = attributes, .clear = attributes & attr::kAtimeMask ? attr::kAtimeMask : 0};
  if (attributes != 0 && !staged) TRY(change_mount(made.get(), change, Recursive::No));
  return made;
}

}  // namespace

Result<MountFd> make_overlay_mount_apart(const OverlayOptions& options, uint64_t attributes) {
  return mount_overlay_apart(options, attributes, -1, nullptr);
}

Result<MountFd> make_overlay_mount(const OverlayOptions& options, uint64_t attributes) {
  if (staged::in_use()) return make_staged_overlay(options, attributes);
  // FALLBACK(linux<6.5)
  if (!kernel_takes_lowers_one_by_one() || mounts_are_staged()) return make_overlay_mount_apart(options, attributes);
  auto fs = TRY(open_fs("overlay"));
  TRY(set_fs_string(fs, "source", options.source));
  for (const auto& flag : options.flags) TRY(set_fs_flag(fs, flag));
  for (const auto& [key, value] : options.values) TRY(set_fs_string(fs, key, value));
  return make_fs_mount(fs, attributes);
}

namespace {

bool is_layer_option(const std::string& key) {
  return key == "lowerdir+" || key == "upperdir" || key == "workdir";
}

/// The deepest directory that every layer is below.
Result<std::string> common_directory(const OverlayOptions& options) {
  std::optional<std::string> common;
  for (const auto& [key, value] : options.values) {
    if (!is_layer_option(key)) continue;
    std::string parent = value.substr(0, value.rfind('/'));
    if (!common) common = parent + "/";
    auto differs = std::mismatch(common->begin(), common->end(), value.begin(), value.end()).first;
    common->erase(differs, common->end());
    common->erase(common->rfind('/') + 1);
  }
  if (!common || common->size() < 2) return fail(Code::InvalidArgument, "the layers have no directory in common");
  return *common;
}

/// A detached, mapped view of the directory.
Result<MountFd> map_directory(const std::string& directory, const NsFd& userns) {
  auto view = TRY(clone_mount(AT_FDCWD, directory, Recursive::No));
  TRY_CONTEXT(change_mount(view.get(), {.set = attr::kIdmap, .userns = userns.get()}, Recursive::No),
              "map the ids of " + directory);
  return view;
}

}  // namespace

Result<MountFd> make_idmapped_overlay_mount(const OverlayOptions& options, uint64_t attributes, const NsFd& userns,
                                            uid_t root_uid, gid_t root_gid) {
  std::string directory = TRY(common_directory(options));
  auto view = TRY(map_directory(directory, userns));
  OverlayOptions mapped = options;
  for (auto& [key, value] : mapped.values) {
    if (is_layer_option(key)) value = fmt::format("/proc/self/fd/{}/{}", view.get(), value.substr(directory.size()));
  }
  {
    auto identity = TRY(FileIdentity::assume(root_uid, root_gid));  // the overlay makes its files as its mounter
    auto made = make_overlay_mount(mapped, attributes);
    if (made) return made;
  }
  // FALLBACK(linux<6.15): an overlay takes no layers from a mount that is attached nowhere.
  return make_idmapped_overlay_mount_apart(options, attributes, userns, root_uid, root_gid);
}

Result<MountFd> make_idmapped_overlay_mount_apart(const OverlayOptions& options, uint64_t attributes,
                                                  const NsFd& userns, uid_t root_uid, gid_t root_gid) {
  std::string directory = TRY(common_directory(options));
  auto view = TRY(map_directory(directory, userns));
  auto identity = TRY(FileIdentity::assume(root_uid, root_gid));
  return mount_overlay_apart(options, attributes, view.get(), directory.c_str());
}

}  // namespace sampan::sys
