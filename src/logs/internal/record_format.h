#pragma once
// logs/record_format: how one of the formats lies in a file: where its records begin and end, and what is in them.

#include <cstdint>
#include <memory>
#include <string_view>

#include "logs/internal/log_files.h"
#include "logs/logs.h"

namespace sampan::logs {

class RecordFormat {
 public:
  virtual ~RecordFormat() = default;

  struct Piece {
    size_t consumed = 0;      // 0: more bytes are needed
    std::string_view record;  // empty: what was consumed is no record
    bool broken = false;      // nothing behind this can be read
  };
  /// The record at the front of `bytes`. Until it returns something it is called with the same front and more bytes.
  virtual Piece take(std::string_view bytes) = 0;
  virtual bool parse(std::string_view record, Line& out) = 0;
  /// Looks from the end for the place where the last `lines` records begin. A torn one at the end is not counted.
  virtual Result<TailPosition> find_tail(int fd, int64_t size, int64_t lines) = 0;
};

std::unique_ptr<RecordFormat> make_format(Format format);

}  // namespace sampan::logs
