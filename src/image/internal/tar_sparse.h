#pragma once
// image/tar_sparse: where the stored bytes of a sparse file go: GNU's old form ('S') and the three PAX forms. Pure.
// Source: GNU tar manual "Storing Sparse Files".

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/internal/tar_pax.h"

namespace sampan::image::tar {

struct Part {
  uint64_t offset = 0, size = 0;
};
using SparseMap = std::vector<Part>;

/// Appends the parts of one array in a header (4 of them) or in a continuation block (21); true when another block
/// follows.
Result<bool> append_gnu_parts(std::string_view block, bool continuation, SparseMap& map);

/// What the PAX records say about sparseness; nullopt when nothing.
struct PaxSparse {
  bool map_in_data = false;  // version 1.0: the map comes before the stored bytes
  std::string name;          // "": keep the entry's
  uint64_t real_size = 0;
  SparseMap map;
};
Result<std::optional<PaxSparse>> parse_pax_sparse(const PaxRecords& records);

/// Parts in order, without overlap, inside the file, and exactly as many bytes as are stored.
Result<void> validate_sparse(const SparseMap& map, uint64_t real_size, uint64_t stored);

}  // namespace sampan::image::tar
