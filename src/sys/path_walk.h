#pragma once
// sys/path_walk: what openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) does, one component at a time. Only
// sys/safe_path uses it, on kernels that lack the call. FALLBACK(linux<5.6)
//
// Every directory on the way is held by a descriptor and the next name is looked up in that descriptor, never in a path
// put together again; ".." goes back to the descriptor that the walk came from. So a rename that races with the walk
// can change what is found, but never lead out of the tree, and no link is followed that was not read first.
//
// It differs from the call in one thing: on procfs only the links in its top directory ("self", "mounts") are followed.
// Which of the others are magic cannot be told from outside, so all are refused with ELOOP.
//
// Threads: any.
// Source: openat2(2), path_resolution(7).

#include <string_view>

namespace sampan::sys {

/// A descriptor, or -errno. EAGAIN: the last name kept changing into a link.
int walk_in_root(int root, std::string_view path, int flags, unsigned mode);

}  // namespace sampan::sys
