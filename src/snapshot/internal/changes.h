#pragma once
// snapshot/changes: what an upper directory says about the union of the lowers below it, without reading the union.

#include <string>
#include <vector>

#include "snapshot/snapshot.h"

namespace sampan::snapshot {

/// `lowers` nearest first. The upper may be in use by a container: what moves while it is read may be told either way,
/// and nothing outside `upper` is ever looked at.
Result<std::vector<Change>> scan_changes(const std::string& upper, const std::vector<std::string>& lowers);

/// Bytes of the files and links below the directory, hard links once.
Result<uint64_t> scan_usage(const std::string& directory);

}  // namespace sampan::snapshot
