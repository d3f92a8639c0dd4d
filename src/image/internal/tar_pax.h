#pragma once
// image/tar_pax: the records of a PAX extended header: "length key=value\n". Pure.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "image/internal/tar_entry.h"

namespace sampan::image::tar {

/// In the archive's order, repeated keys kept (GNU.sparse.offset repeats). Errors: InvalidArgument.
using PaxRecords = std::vector<std::pair<std::string, std::string>>;
Result<PaxRecords> parse_pax(std::string_view body);
std::string format_pax_record(std::string_view key, std::string_view value);

/// "seconds.fraction", either part may be missing; a negative time is below zero as a whole.
Result<Time> parse_pax_time(std::string_view text);
/// A decimal without sign. Errors: InvalidArgument.
Result<uint64_t> parse_pax_number(std::string_view text);

}  // namespace sampan::image::tar
