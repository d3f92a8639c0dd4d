#include "sys/staged_mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/strings.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/kernel_features.h"
#include "sys/old_mount_flags.h"
#include "sys/overlay.h"

// As in mount.cc: <sys/mount.h> cannot be included beside <linux/mount.h>.
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*);
extern "C" int umount2(const char*, int);

namespace sampan::sys {
namespace {

constexpr int kMntDetach = 2;

// Where a stage hides nothing that a mount is made of. Not above "/": whoever has another mount there is taken for
// chrooted and may make no user namespace. The kernel's own mount points come first, because a user namespace that
// inherits anything else covered in sysfs or procfs may not mount these any more.
constexpr std::pair<const char*, const char*> kStagePlaces[] = {
    {"/sys/fs/fuse/connections", "/sys"}, {"/sys/fs/pstore", "/sys"},       {"/sys/kernel/config", "/sys"},
    {"/sys/kernel/debug", "/sys"},        {"/sys/kernel/security", "/sys"}, {"/proc/tty", "/proc"}};
// The second one lies above the new root: lookups from "/" do not see it, but this one does.
constexpr const char* kAboveRoot = "/..";
constexpr const char* kStageName = "sampan-stage";

/// The process's one stage. A clone has a copy, as of everything else.
struct Stage {
  const char* place = nullptr;
  DirFd top;              // invalid: none
  DirFd proc;             // the host's procfs: "self/fd/N" in it names a descriptor
  bool own_tree = false;  // this process is alone in its mount namespace: stages may be made
  bool above_new_root = false;
};
Stage stage;

/// The working directory is procfs for as long as this lives: mount(2) knows no directory descriptors.
class AtProc {
 public:
  AtProc() : before_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)), there_(::fchdir(stage.proc.get()) == 0) {}
  AtProc(const AtProc&) = delete;
  AtProc& operator=(const AtProc&) = delete;
  ~AtProc() {
    int error = errno;
    if (before_.valid()) (void)::fchdir(before_.get());  // it was the working directory just now
    errno = error;
  }
  bool there() const { return there_; }

 private:
  DirFd before_;
  bool there_;
};

std::string name_of(int fd) {
  return fmt::format("self/fd/{}", fd);
}

Result<void> mount_at_proc(const char* source, int target, const char* type, unsigned long flags, const char* data) {
  AtProc proc;
  if (!proc.there()) return sys_error("fchdir", "/proc");
  if (::mount(source, name_of(target).c_str(), type, flags, data) < 0) return sys_error("mount");
  return {};
}

Result<void> make_stage(const char* place, const char* seen_as) {
  if (::mount(kStageName, place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") < 0)
    return sys_error("mount tmpfs", place);
  stage.top = TRY(open_dir(seen_as));
  return mount_at_proc(nullptr, stage.top.get(), nullptr, MS_UNBINDABLE, nullptr);  // recursive binds leave it out
}

/// Once more after the root was switched.
Result<void> make_second_stage() {
  TRY(make_stage("/", kAboveRoot));
  stage.above_new_root = true;
  return {};
}

/// What is mounted there must not show on the host. Only that mount changes: the others stay peers of the host's, and
/// so will be the binds made of them.
bool make_receiver(const char* place, const char* mount_point) {
  return ::mount(nullptr, place, nullptr, MS_SLAVE, nullptr) == 0 ||
         (errno == EINVAL && ::mount(nullptr, mount_point, nullptr, MS_SLAVE, nullptr) == 0);
}

/// An entry of the stage, with the number of a free descriptor as its name: the number of the MountFd to be.
struct Place {
  Fd number;
  std::string name;
};

Result<Place> make_place(bool directory) {
  if (!stage.top.valid() && stage.own_tree) TRY(make_second_stage());
  if (!stage.top.valid()) return sys_error_of(ENOSYS, "open_tree");
  Place place{Fd(::fcntl(stage.top.get(), F_DUPFD_CLOEXEC, 3)), {}};
  if (!place.number.valid()) return sys_error("dup");
  place.name = std::to_string(place.number.get());
  // The name of a descriptor that was closed, or attached, is free again; so is what it left.
  if (auto left = open_at(stage.top.get(), place.name, O_PATH | O_NOFOLLOW)) {
    AtProc proc;
    left->reset();
    ::unlinkat(stage.top.get(), place.name.c_str(), 0);
    while (::unlinkat(stage.top.get(), place.name.c_str(), AT_REMOVEDIR) < 0 && errno == EBUSY) {
      auto mounted = TRY(open_at(stage.top.get(), place.name, O_PATH | O_NOFOLLOW));
      if (::umount2(name_of(mounted.get()).c_str(), kMntDetach) < 0) return sys_error("umount", "staged mount");
      ::unlinkat(stage.top.get(), place.name.c_str(), 0);
    }
  }
  int made = directory ? ::mkdirat(stage.top.get(), place.name.c_str(), 0755)
                       : ::mknodat(stage.top.get(), place.name.c_str(), S_IFREG | 0600, 0);
  if (made < 0) return sys_error("create", "staged mount");
  return place;
}

/// The descriptor of the mount that was put on the place, under the number that the place is named after.
Result<MountFd> take_place(Place place) {
  auto mounted = TRY(open_at(stage.top.get(), place.name, O_PATH | O_NOFOLLOW));
  if (::dup3(mounted.get(), place.number.get(), O_CLOEXEC) < 0) return sys_error("dup");
  return std::move(place.number).as<MountFdTag>();
}

Result<void> mount_on_place(const Place& place, const char* source, const char* type, unsigned long flags,
                            const char* data) {
  auto target = TRY(open_at(stage.top.get(), place.name, O_PATH | O_NOFOLLOW));
  return mount_at_proc(source, target.get(), type, flags, data);
}

Result<void> remount(int mount, uint64_t set, uint64_t clear) {
  struct statvfs info;
  if (::fstatvfs(mount, &info) < 0) return sys_error("statvfs");
  uint64_t wanted =
      (attributes_of_statvfs(info.f_flag) & ~clear & ~(set & attr::kAtimeMask ? attr::kAtimeMask : 0)) | set;
  TRY(mount_at_proc(nullptr, mount, nullptr, MS_REMOUNT | MS_BIND | mount_flags_of(wanted), nullptr));
  // An unknown flag is ignored, not refused.
  if (set & attr::kNoSymFollow && (::fstatvfs(mount, &info) < 0 || !(info.f_flag & kStatNoSymFollow)))
    return fail(Code::NotImplemented, "the mount option nosymfollow needs Linux 5.10");
  return {};
}

/// Mounts below `mount` as the kernel lists them: (mount id, path below the mount). Covered ones are not to be reached.
Result<std::vector<std::pair<int64_t, std::string>>> mounts_below(int mount) {
  AtProc proc;
  if (!proc.there()) return sys_error("fchdir", "/proc");
  int64_t top = TRY(mount_id_of(TRY(read_file(fmt::format("self/fdinfo/{}", mount)))));
  return children_in_mountinfo(TRY(read_file("self/mountinfo")), top);
}

Result<void> remount_below(int mount, const MountChange& change) {
  for (const auto& [id, path] : TRY(mounts_below(mount))) {
    Fd below(::fcntl(mount, F_DUPFD_CLOEXEC, 3));
    for (auto name : split(path, '/'))
      if (!name.empty()) below = TRY(open_at(below.get(), std::string(name), O_PATH | O_NOFOLLOW));
    auto info = [&]() -> Result<std::string> {
      AtProc proc;
      return read_file(fmt::format("self/fdinfo/{}", below.get()));
    }();
    // Another one: it is covered, or the directories on the way were moved by somebody else.
    if (TRY(mount_id_of(TRY(std::move(info)))) != id)
      return fail(Code::Unavailable, "a mount below \"{}\" is covered", path);
    TRY_CONTEXT(remount(below.get(), change.set, change.clear), path);
  }
  return {};
}

Result<void> make_area() {
  if (::unshare(CLONE_NEWNS) < 0) return sys_error("unshare");
  stage.proc = TRY(open_dir("/proc"));
  for (const auto& [place, mount_point] : kStagePlaces) {
    if (!path_exists(place) || !make_receiver(place, mount_point)) continue;
    stage.place = place;
    return make_stage(place, place);
  }
  return fail(Code::Unavailable, "neither /sys nor /proc is a mount of its own");
}

Result<int64_t> mount_id(int fd) {
  return mount_id_of(TRY(read_file(fmt::format("/proc/self/fdinfo/{}", fd))));
}

/// Nothing reaches the host any more, but the staged mounts stay what they are. false: something is out of reach.
Result<bool> isolate_all_but(const DirFd& inherited) {
  int64_t below = TRY(mount_id(inherited.get()));
  const int64_t stage_id = below;
  auto mounts = TRY(read_file("/proc/self/mountinfo"));
  // What the stage lies on receives only, since the area was made.
  for (const auto& above : mounts_above(mounts, stage_id)) {
    if (below != stage_id && ::mount(nullptr, above.point.c_str(), nullptr, MS_SLAVE, nullptr) < 0) return false;
    for (const auto& point : points_directly_below(mounts, above.id, below))
      if (::mount(nullptr, point.c_str(), nullptr, MS_SLAVE | MS_REC, nullptr) < 0) return false;
    below = above.id;
  }
  return !has_shared_outside(TRY(read_file("/proc/self/mountinfo")), stage_id);
}

}  // namespace

bool mounts_are_staged() {
  static const bool kStaged = !has_mount_setattr();
  return kStaged;
}

Result<StagingArea> StagingArea::enter() {
  StagingArea area;
  if (!mounts_are_staged()) return area;
  area.root_ = TRY(open_dir("/"));
  area.cwd_ = TRY(open_dir("."));
  area.home_ = TRY(open_file("/proc/self/ns/mnt", O_RDONLY)).as<NsFdTag>();
  TRY_CONTEXT(make_area(), "stage mounts");  // on an error the destructor leads back
  return area;
}

StagingArea::~StagingArea() {
  if (!home_.valid()) return;
  stage = Stage();
  // Back home cannot fail: the namespace is the caller's own and open. It begins at its root, which need not be ours.
  bool back = ::setns(home_.get(), CLONE_NEWNS) == 0 && ::fchdir(root_.get()) == 0 && ::chroot(".") == 0;
  if (back) (void)::fchdir(cwd_.get());
}

Result<void> adopt_staged_mounts() {
  if (!stage.top.valid()) return set_root_propagation(propagation::kSlave, Recursive::Yes);
  auto proc = TRY(open_dir("/proc"));
  auto inherited = TRY(open_dir(stage.place));
  if (!TRY(isolate_all_but(inherited))) TRY(set_root_propagation(propagation::kSlave, Recursive::Yes));
  for (const auto& name : TRY(list_dir(stage.place))) {
    auto number = parse_int(name);
    auto copy = TRY(open_at(inherited.get(), name, O_PATH | O_NOFOLLOW));
    struct stat own, wanted;
    if (!number || ::fstat(copy.get(), &own) < 0 || ::fstat(static_cast<int>(*number), &wanted) < 0) continue;
    if (own.st_dev != wanted.st_dev || own.st_ino != wanted.st_ino) continue;  // closed and taken for something else
    if (::dup3(copy.get(), static_cast<int>(*number), O_CLOEXEC) < 0) return sys_error("dup");
  }
  // What is made from here on goes to a stage of this user namespace's own.
  stage.proc = std::move(proc);
  stage.own_tree = true;
  return make_stage(stage.place, stage.place);
}

Result<void> drop_stage() {
  if (!stage.above_new_root) return {};
  stage.top.reset();
  stage.above_new_root = false;
  if (::umount2("/", kMntDetach) < 0) return sys_error("umount", "stage");  // the topmost one there is the stage
  return {};
}

namespace staged {

bool in_use() {
  return stage.top.valid() || stage.own_tree;
}

void leave_behind() {
  stage.top.reset();
}

Result<MountFd> mount_filesystem(const std::string& type, const std::string& source, unsigned long flags,
                                 const std::string& data, uint64_t attributes) {
  if (!in_use()) return make_mount_apart(type, source, data, flags | mount_flags_of(attributes));
  auto place = TRY(make_place(true));
  uint64_t at_once = attributes & ~attr::kReadOnly;  // which would be the file system's
  auto done = mount_on_place(place, source.c_str(), type.c_str(), flags | mount_flags_of(at_once), data.c_str());
  if (!done) return sys_error_of(done.error().errno_value(), "mount " + type, data);
  auto made = TRY(take_place(std::move(place)));
  if (attributes & (attr::kReadOnly | attr::kNoSymFollow)) TRY(remount(made.get(), attributes, 0));
  return made;
}

Result<MountFd> clone(int dir, const std::string& path, Recursive recursive) {
  Fd source;
  if (!path.empty()) source = TRY(open_at(dir, path, O_PATH));
  int from = path.empty() ? dir : source.get();
  struct stat info;
  if (::fstat(from, &info) < 0) return sys_error("stat", path);
  auto place = TRY(make_place(S_ISDIR(info.st_mode)));
  unsigned long flags = MS_BIND | (recursive == Recursive::Yes ? MS_REC : 0);
  auto bound = mount_on_place(place, name_of(from).c_str(), nullptr, flags, nullptr);
  if (!bound) return sys_error_of(bound.error().errno_value(), "mount bind", path);
  return take_place(std::move(place));
}

Result<void> change(int mount, const MountChange& change, Recursive recursive) {
  if (change.set & attr::kIdmap) return fail(Code::NotImplemented, "idmapped mounts need Linux 5.12");
  if (change.set | change.clear) {
    TRY(remount(mount, change.set, change.clear));
    if (recursive == Recursive::Yes) TRY(remount_below(mount, change));
  }
  if (change.propagation == 0) return {};
  unsigned long flags = change.propagation | (recursive == Recursive::Yes ? MS_REC : 0);
  return mount_at_proc(nullptr, mount, nullptr, flags, nullptr);
}

Result<void> attach(int mount, int target) {
  auto moved = mount_at_proc(name_of(mount).c_str(), target, nullptr, MS_MOVE, nullptr);
  if (moved || moved.error().errno_value() != EINVAL) return moved;
  // Inherited by a user namespace, which may copy it but not move it.
  return mount_at_proc(name_of(mount).c_str(), target, nullptr, MS_BIND | MS_REC, nullptr);
}

Result<void> attach_at(int mount, const std::string& path) {
  auto target = TRY(open_dir(path));
  TRY(attach(mount, target.get()));
  if (path != "/") return {};
  // The copy, when it is one: the descriptor means what is attached.
  auto attached = TRY(open_dir(kAboveRoot));
  if (::dup3(attached.get(), mount, O_CLOEXEC) < 0) return sys_error("dup");
  return {};
}

}  // namespace staged
}  // namespace sampan::sys
