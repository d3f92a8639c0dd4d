#pragma once
// image/tar_reader: the members of a tar stream, one after another: ustar, version 7, GNU long names, base-256 numbers
// and sparse files, PAX. Memory is one buffer and one extended header, whatever the archive claims.
//
// What is refused: negative or too large ids, sizes and devices, oversized extended headers, unknown member types,
// anything cut off. Names are not judged here: the extractor does that, it knows what a name may mean.

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "image/internal/tar_entry.h"
#include "image/internal/tar_header.h"
#include "image/internal/tar_sparse.h"

namespace sampan::image::tar {

class Reader {
 public:
  explicit Reader(ByteSource& source);

  /// The next member; false at the end of the archive. What is left of the previous member's content is skipped.
  Result<bool> next(Entry& entry);
  /// The next piece of the member's content and where it goes (a sparse file has gaps); empty at the end. The bytes
  /// are valid until the next call.
  struct Piece {
    uint64_t offset = 0;
    std::string_view bytes;
  };
  Result<Piece> read();
  /// Reads the source to its end, past the archive's: so that a checksum behind it is verified and a hash complete.
  Result<void> drain();

 private:
  struct Extensions;
  Result<bool> fill(size_t wanted);
  Result<std::optional<std::string_view>> read_block();
  Result<std::string> read_extension(int64_t size);
  Result<void> skip(uint64_t bytes);
  Result<bool> read_extended(const Header& header, Extensions& extensions);
  Result<void> make_entry(const Header& header, std::string_view block, Extensions& extensions, Entry& entry);
  Result<void> start_content(const Header& header, std::string_view block, Extensions& extensions, Entry& entry);
  Result<SparseMap> read_gnu_map(std::string_view block);
  Result<SparseMap> read_map_in_data();

  ByteSource& source_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // unread bytes of the buffer
  SparseMap parts_;             // of the current member's content
  size_t part_ = 0;
  uint64_t part_done_ = 0;
  uint64_t stored_ = 0;  // bytes of the current member's content still in the stream
  size_t padding_ = 0;   // after them
  uint64_t entries_ = 0;
};

}  // namespace sampan::image::tar
