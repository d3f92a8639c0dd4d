#pragma once
// Trees of files that a build reads from (the context, a stage, an image) and writes to: finding, hashing, copying.
// Both sides may be hostile; every path goes through sys/safe_path and image/archive.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "build/internal/match.h"
#include "codec/sha256.h"
#include "sys/fd.h"

namespace sampan::build {

enum class FileKind { Missing, File, Directory, Other };

/// A readable root with what must not be seen in it.
struct Tree {
  int root = -1;                        // borrowed directory descriptor
  const IgnoreRules* ignore = nullptr;  // null: everything is visible
};

/// Kind of what `path` leads to (links followed inside the root).
FileKind kind_of(const Tree& tree, const std::string& path);

/// The paths that one COPY or ADD source names, sorted; wildcards by Go's filepath.Match.
/// Errors: NotFound `COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not
/// exist`.
Result<std::vector<std::string>> find_sources(const Tree& tree, const std::string& pattern,
                                              std::string_view instruction);

/// Adds a path's content to the hash: names, kinds, modes, links, bytes, and owners when `owners`; never times.
Result<void> hash_path(const Tree& tree, const std::string& path, bool owners, codec::Sha256& hash,
                       const Cancel& cancel);

struct CopyOptions {
  std::optional<std::pair<uint32_t, uint32_t>> owner;
  std::optional<uint32_t> mode;
};
/// Copies `source` of one tree to `target` in another root. A directory's content goes into `target`; a file becomes
/// `target`, or a file in it when `target` ends with '/' or is a directory.
Result<void> copy_path(const Tree& tree, const std::string& source, int root, const std::string& target,
                       const CopyOptions& options, const Cancel& cancel);
/// Unpacks a local archive (ADD) below `target`; false when the file is not an archive.
Result<bool> unpack_archive(const Tree& tree, const std::string& source, int root, const std::string& target,
                            const CopyOptions& options, const Cancel& cancel);
/// mkdir -p inside the root, 0755, owned by root.
Result<void> make_directory(int root, const std::string& path);
/// Writes one file (heredoc sources).
Result<void> write_file(int root, const std::string& target, std::string_view content, const CopyOptions& options);

}  // namespace sampan::build
