#pragma once
// sys/tree: trees that an image or a container has shaped, worked on by (directory, name) and by descriptor: removal
// of any depth, extended attributes.
//
// Threads: any.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

/// Removes the entry and, when it is a directory, all below it; never follows a link; a missing entry is success.
/// However deep the tree is, it holds at most some sixty descriptors. Crosses no mount: EBUSY there.
Result<void> remove_tree_at(int dir, const std::string& name);

using Xattrs = std::vector<std::pair<std::string, std::string>>;
/// The extended attributes of the object behind a descriptor (O_PATH too), sorted by name; none where they are not
/// supported.
Result<Xattrs> read_xattrs(int fd);
/// One attribute; "" when the object has none of that name or the filesystem has no attributes.
Result<std::string> read_xattr(int fd, const std::string& name);
/// Sets one. Errors: the errno (NotImplemented where attributes are not supported).
Result<void> write_xattr(int fd, const std::string& name, std::string_view value);

}  // namespace sampan::sys
