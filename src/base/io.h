#pragma once
// base/io: the two byte-stream interfaces that the synchronous core and the asynchronous edge meet on.

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"

namespace sampan {

/// A blocking source of bytes (a request body, a blob, a pipe).
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Reads up to buffer.size() bytes; 0 is the end. Blocks until at least one byte is there.
  virtual Result<size_t> read(std::span<char> buffer) = 0;
};

/// A blocking sink of bytes (a chunked response, a file). A returned error (Cancelled: the reader has gone) is final.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Result<void> write(std::string_view bytes) = 0;
};

}  // namespace sampan
