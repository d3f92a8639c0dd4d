#pragma once
// snapshot/lowers: lookups in the union of read-only layers, one directory at a time: which of the layers take part in
// a directory is known from its parent, so a name costs one stat per layer that has the directory.

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::snapshot {

class Lowers {
 public:
  /// Indexes of the layers whose directories are merged, nearest first.
  using Merged = std::vector<size_t>;
  struct Found {
    struct stat info{};
    size_t layer = 0;  // where it comes from
    Merged merged;     // for a directory
  };

  static Result<Lowers> open(const std::vector<std::string>& directories);
  Merged root() const;
  /// What `path`, an entry of a directory made of `parent`, is in the union.
  std::optional<Found> find(const Merged& parent, const std::string& path) const;
  /// The names in a directory of the union, sorted.
  Result<std::vector<std::string>> names(const Merged& merged, const std::string& path) const;
  /// The security.capability of a file, "" when it has none.
  std::string capability(size_t layer, const std::string& path) const;

 private:
  std::vector<sys::DirFd> layers_;
};

}  // namespace sampan::snapshot
