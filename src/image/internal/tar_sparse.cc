#include "image/internal/tar_sparse.h"

#include "base/strings.h"
#include "image/internal/tar_header.h"

namespace sampan::image::tar {
namespace {

Result<void> append(SparseMap& map, uint64_t offset, uint64_t size) {
  if (map.size() >= kMaxSparseParts)
    return fail(Code::InvalidArgument, "a sparse file with more than {} parts", kMaxSparseParts);
  map.push_back({offset, size});
  return {};
}

/// Version 0.1: "offset,size,offset,size".
Result<SparseMap> parse_map_list(std::string_view text) {
  SparseMap map;
  while (!text.empty()) {
    uint64_t numbers[2];
    for (uint64_t& number : numbers) {
      size_t comma = std::min(text.find(','), text.size());
      number = TRY(parse_pax_number(text.substr(0, comma)));
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
    TRY(append(map, numbers[0], numbers[1]));
  }
  return map;
}

}  // namespace

Result<bool> append_gnu_parts(std::string_view block, bool continuation, SparseMap& map) {
  size_t count = continuation ? 21 : 4;
  size_t base = continuation ? 0 : field::kGnuSparse.offset;
  for (size_t i = 0; i < count; ++i) {
    std::string_view offset = block.substr(base + i * 24, 12), size = block.substr(base + i * 24 + 12, 12);
    if (offset[0] == '\0') break;
    int64_t at = TRY_CONTEXT(parse_number(offset), "sparse map");
    int64_t bytes = TRY_CONTEXT(parse_number(size), "sparse map");
    if (at < 0 || bytes < 0) return fail(Code::InvalidArgument, "sparse map: a negative number");
    TRY(append(map, static_cast<uint64_t>(at), static_cast<uint64_t>(bytes)));
  }
  return block[continuation ? 504 : field::kGnuExtended.offset] != '\0';
}

Result<std::optional<PaxSparse>> parse_pax_sparse(const PaxRecords& records) {
  PaxSparse sparse;
  bool found = false;
  for (const auto& [key, value] : records) {
    if (!key.starts_with("GNU.sparse.")) continue;
    found = true;
    std::string_view what = std::string_view(key).substr(11);
    if (what == "major")
      sparse.map_in_data = value == "1";
    else if (what == "name")
      sparse.name = value;
    else if (what == "realsize" || what == "size")
      sparse.real_size = TRY(parse_pax_number(value));
    else if (what == "map")
      sparse.map = TRY(parse_map_list(value));
    else if (what == "offset")
      TRY(append(sparse.map, TRY(parse_pax_number(value)), 0));
    else if (what == "numbytes" && !sparse.map.empty())
      sparse.map.back().size = TRY(parse_pax_number(value));
  }
  if (!found) return std::optional<PaxSparse>();
  return std::optional<PaxSparse>(std::move(sparse));
}

Result<void> validate_sparse(const SparseMap& map, uint64_t real_size, uint64_t stored) {
  uint64_t end = 0, sum = 0;
  for (const Part& part : map) {
    if (part.offset < end || part.size > real_size || part.offset > real_size - part.size) {
      return fail(Code::InvalidArgument, "sparse map: a part outside the file");
    }
    end = part.offset + part.size;
    sum += part.size;
  }
  if (sum != stored) return fail(Code::InvalidArgument, "sparse map: {} bytes mapped, {} stored", sum, stored);
  return {};
}

}  // namespace sampan::image::tar
