#pragma once
// sys/safe_path: the one place that resolves paths inside a root filesystem which an image or a container may control.
//
// `root` is a descriptor of the tree's top directory (O_PATH is enough). Every path is taken relative to it as a chroot
// would: "..", absolute symbolic links and the like stay inside; magic links (/proc/self/fd/N, /proc/self/exe) are
// refused with ELOOP. A leading '/' means the same as none; trailing slashes are dropped before the last component is
// opened, because "link/" would follow the link in spite of O_NOFOLLOW. "" and "/" name the root itself.
//
// What comes back is a descriptor of the very object that was found: work on it with f*() calls and AT_EMPTY_PATH, or
// on (parent, name) pairs with O_NOFOLLOW | O_EXCL. Never build a path string again from what these functions accepted.
//
// A lookup that races with renames answers EAGAIN inside; it is retried for up to about 2 ms and then fails.
//
// Threads: any.
// Source: openat2(2). FALLBACK(linux<5.6): sys/path_walk.h.

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// A directory and the name of an entry in it: never empty, never "." or "..", without '/'.
using ParentAndName = std::pair<DirFd, std::string>;

/// Opens what `path` leads to inside `root`; O_CLOEXEC is added, and O_NOCTTY. With O_NOFOLLOW a final symbolic link is
/// not followed (ELOOP, or the link itself with O_PATH).
/// Errors:  the errno (ENOENT, ENOTDIR, ELOOP for a magic link).
Result<Fd> open_in_root(int root, std::string_view path, int flags, unsigned mode = 0);

/// open_in_root with O_DIRECTORY | O_PATH.
Result<DirFd> open_dir_in_root(int root, std::string_view path);

/// mkdir -p inside `root`, following symbolic links as a chroot would; a dangling link's target is made, as runc and
/// Docker do for mount targets. New directories get exactly `mode` and the caller's ids; existing ones are not touched.
/// Returns the last directory (O_PATH). Errors: ENOTDIR when something else is in the way.
Result<DirFd> make_dirs_in_root(int root, std::string_view path, unsigned mode);

enum class FileType { Regular, Any };
/// Makes the missing parents (0755) and opens the file read-write, creating it with `mode` when it is missing; a
/// dangling link's target is made, with its parents. An existing one must be a regular file (or, with FileType::Any,
/// anything but a directory: it is then opened O_PATH).
Result<Fd> create_file_in_root(int root, std::string_view path, unsigned mode, FileType existing = FileType::Regular);

/// The directory that holds the final component, and that component, which is not looked at.
/// Errors: InvalidArgument when the path has none ("/", "a/.."), the errno of the way to the directory.
Result<ParentAndName> open_parent_in_root(int root, std::string_view path);

/// Reads a regular file inside `root`, at most `limit` bytes; never blocks on a FIFO or device.
/// Errors: InvalidArgument when it is not a regular file, ResourceExhausted past the limit, the errno.
Result<std::string> read_file_in_root(int root, std::string_view path, size_t limit);

/// fstat(2) of a descriptor; O_PATH ones too.
Result<struct stat> stat_fd(int fd);
/// The object behind an O_PATH (or any) descriptor opened again with other flags, through /proc/self/fd of a
/// procfs that is verified to be one. Caller: must still see the host's /proc.
Result<Fd> reopen_fd(int fd, int flags);

}  // namespace sampan::sys
