#pragma once
// snapshot/listing: one directory of a layer with the facts of its entries, read without holding a descriptor after.

#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace sampan::snapshot {

struct Listed {
  std::string name;
  struct stat info{};
};

struct Listing {
  bool opaque = false;
  std::vector<Listed> entries;  // in no order
};

/// The directory at `path` below `root` (a descriptor). One that has gone or was replaced meanwhile is empty.
Result<Listing> list_layer_dir(int root, const std::string& path);
bool is_whiteout(const struct stat& info);
bool is_opaque(int dir);

}  // namespace sampan::snapshot
