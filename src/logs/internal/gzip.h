#pragma once
// logs/gzip: rotated files in gzip's format.

#include <cstdint>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::logs {

/// Writes what `from` holds, compressed, to `to`.
Result<void> compress_file(int from, int to);
/// The content of a gzip file as an unnamed file in `directory` (in memory when the disk is full).
/// Errors: DataLoss; ResourceExhausted (more than 4 GiB: no log of ours).
Result<sys::Fd> decompress_file(int from, const std::string& directory);

}  // namespace sampan::logs
