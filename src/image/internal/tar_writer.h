#pragma once
// image/tar_writer: members to a tar stream: ustar, with a PAX header before a member only when ustar cannot say it.
// The same members give the same bytes. Source: POSIX pax interchange format; as Docker, two empty blocks at the end.

#include <string>
#include <string_view>

#include "base/io.h"
#include "image/internal/tar_entry.h"

namespace sampan::image::tar {

class Writer {
 public:
  explicit Writer(ByteSink& sink) : sink_(sink) {}
  /// Writes the header. A file's `size` bytes of content must follow before the next one. A directory's name gets its
  /// trailing slash here.
  Result<void> add(Entry entry);
  Result<void> content(std::string_view bytes);
  /// Zeros for what is missing of the content, because the file became shorter while it was read.
  Result<void> fill_content();
  /// How much content is still to come.
  uint64_t missing() const { return missing_; }
  Result<void> finish();

 private:
  Result<void> write(std::string_view bytes);
  Result<void> write_zeros(uint64_t count);
  Result<void> flush();

  ByteSink& sink_;
  std::string buffer_;
  uint64_t missing_ = 0;
  size_t padding_ = 0;
};

}  // namespace sampan::image::tar
