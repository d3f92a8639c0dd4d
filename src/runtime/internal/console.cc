#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/internal/devices.h"
#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/pty.h"
#include "sys/safe_path.h"

namespace sampan::runtime::internal {
namespace {

/// The master side, from the container's own devpts. The directory is checked before anything in it is opened: in a
/// running container it may have been replaced.
Result<sys::Fd> open_master(Child& child) {
  auto pts = TRY(sys::open_dir_in_root(child.root.get(), "/dev/pts"));
  if (TRY(sys::fs_facts(pts.get())).magic != sys::magic::kDevpts)
    return fail(Code::InvalidArgument, "/dev/pts is not a devpts file system");
  auto master = TRY(sys::open_at(pts.get(), "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW));
  if (!sys::is_character_device(master.get(), 5, 2))
    return fail(Code::InvalidArgument, "/dev/pts/ptmx is not a terminal multiplexer");
  return master;
}

Result<void> bind_console(Child& child) {
  auto dev = TRY(open_dev(child.root.get()));
  int raw = ::openat(dev.get(), "console", O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (raw < 0 && errno != EEXIST) return sys::sys_error("create", "/dev/console");
  sys::Fd created(raw);
  auto target = TRY(sys::open_at(dev.get(), "console", O_PATH | O_NOFOLLOW));
  auto mode = TRY(sys::stat_fd(target.get())).st_mode;
  if (S_ISLNK(mode) || S_ISDIR(mode)) return fail(Code::InvalidArgument, "/dev/console is a link or a directory");
  auto mount = TRY(sys::clone_mount(child.terminal.get(), "", sys::Recursive::No));
  return sys::attach_mount(mount, target.get());
}

/// A copy above the standard numbers, so that moving one stream cannot overwrite another.
Result<sys::Fd> lift(int fd) {
  int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return sys::sys_error("dup", std::to_string(fd));
  return sys::Fd(copy);
}

/// The container's own null device, verified; invalid when it has none. A stream that is the host's would hold on to a
/// mount that the container does not have, which no checkpoint could follow.
sys::Fd own_null(Child& child) {
  auto found = sys::open_in_root(child.root.get(), "/dev/null", O_PATH | O_NOFOLLOW);
  if (!found || !sys::is_character_device(found->get(), 1, 3)) return {};
  auto null = sys::open_in_root(child.root.get(), "/dev/null", O_RDWR | O_NOFOLLOW);
  if (!null || !sys::is_character_device(null->get(), 1, 3)) return {};
  return std::move(*null);
}

/// Lets the container's user open /dev/stdout and its kin again by name.
void give_stream(int fd, const Identity& identity) {
  if (identity.uid == 0 && identity.gid == 0) return;
  struct stat info;
  if (::fstat(fd, &info) < 0 || info.st_uid == identity.uid) return;
  if (S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3)) return;  // everybody's null device
  // The group stays: a terminal's is tty's. Best effort: a read-only or unmapped file is left as it is.
  (void)::fchown(fd, identity.uid, static_cast<gid_t>(-1));
}

}  // namespace

Result<void> make_console(Child& child) {
  const auto& process = *child.process.process;
  if (!process.terminal) return {};
  auto master = TRY(open_master(child));
  TRY(sys::unlock_pty(master.get()));
  child.terminal = TRY(sys::open_pty_slave(master.get()));
  if (process.console_size)
    TRY(sys::set_window_size(master.get(), {static_cast<uint16_t>(process.console_size->height),
                                            static_cast<uint16_t>(process.console_size->width)}));
  if (child.container) TRY(bind_console(child));
  int fds[] = {master.get()};
  return child.channel.send(Message::Console, {}, fds);
}

Result<void> wire_stdio(Child& child) {
  TRY(sys::start_session());
  if (child.terminal.valid()) TRY(sys::set_controlling_terminal(child.terminal.get()));
  const Stdio& asked = child.process.stdio;
  const int wanted[] = {asked.in, asked.out, asked.err};
  sys::Fd lifted[3], null;
  for (int i = 0; i < 3; ++i) {
    int source = child.terminal.valid() ? child.terminal.get() : wanted[i] >= 0 ? wanted[i] : child.process.null.get();
    if (sys::is_character_device(source, 1, 3)) {
      if (!null.valid()) null = own_null(child);
      if (null.valid()) source = null.get();
    }
    lifted[i] = TRY(lift(source));
  }
  for (int i = 0; i < 3; ++i) {
    if (::dup2(lifted[i].get(), i) < 0) return sys::sys_error("dup2");
    give_stream(i, child.identity);
  }
  child.terminal.reset();
  return {};
}

}  // namespace sampan::runtime::internal
