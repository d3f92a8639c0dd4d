#include "logs/internal/record_format.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "logs/internal/json_line.h"
#include "logs/internal/local_entry.h"

namespace sampan::logs {

namespace {

constexpr size_t kMaxRecord = 1 << 20;  // no record of ours is longer: this is not a log

class JsonFormat final : public RecordFormat {
 public:
  Piece take(std::string_view bytes) override;
  bool parse(std::string_view record, Line& out) override { return parse_json_line(record, times_, out); }
  Result<TailPosition> find_tail(int fd, int64_t size, int64_t lines) override {
    return find_tail_lines(fd, size, lines);
  }

 private:
  size_t searched_ = 0;    // from the front: no "\n" there
  bool skipping_ = false;  // inside a record that is too long
  TimeParser times_;
};

RecordFormat::Piece JsonFormat::take(std::string_view bytes) {
  if (searched_ >= bytes.size()) return {};
  const void* newline = std::memchr(bytes.data() + searched_, '\n', bytes.size() - searched_);
  if (newline) {
    auto length = static_cast<size_t>(static_cast<const char*>(newline) - bytes.data());
    searched_ = 0;
    return {.consumed = length + 1, .record = std::exchange(skipping_, false) ? "" : bytes.substr(0, length)};
  }
  searched_ = bytes.size();
  if (searched_ <= kMaxRecord) return {};
  skipping_ = true;
  searched_ = 0;
  return {.consumed = bytes.size()};
}

class LocalFormat final : public RecordFormat {
 public:
  Piece take(std::string_view bytes) override;
  bool parse(std::string_view record, Line& out) override { return parse_local_entry(record, out); }
  Result<TailPosition> find_tail(int fd, int64_t size, int64_t lines) override;
};

RecordFormat::Piece LocalFormat::take(std::string_view bytes) {
  constexpr size_t kFrame = 2 * kLengthBytes;
  if (bytes.size() < kLengthBytes) return {};
  uint32_t length = read_length(bytes.data());
  if (length > kMaxLocalEntry) return {.broken = true};
  if (bytes.size() < length + kFrame) return {};
  if (read_length(bytes.data() + kLengthBytes + length) != length) return {.broken = true};
  return {.consumed = length + kFrame, .record = bytes.substr(kLengthBytes, length)};
}

/// The bytes of a file before `end`, a block at a time from the back.
class BackwardBlocks {
 public:
  explicit BackwardBlocks(int fd) : fd_(fd), block_(kBlock) {}
  /// Four bytes that end at `end`; nullopt when they cannot be read.
  std::optional<uint32_t> length_before(int64_t end) {
    if (end < static_cast<int64_t>(kLengthBytes)) return std::nullopt;
    int64_t at = end - static_cast<int64_t>(kLengthBytes);
    if (at < begin_ || end > end_) {
      begin_ = std::max<int64_t>(0, end - static_cast<int64_t>(kBlock));
      ssize_t got = ::pread(fd_, block_.data(), static_cast<size_t>(end - begin_), begin_);
      end_ = begin_ + std::max<ssize_t>(got, 0);
      if (end > end_) return std::nullopt;
    }
    return read_length(&block_[static_cast<size_t>(at - begin_)]);
  }

 private:
  static constexpr size_t kBlock = 64 << 10;
  int fd_;
  std::vector<char> block_;
  int64_t begin_ = 0, end_ = 0;
};

Result<TailPosition> LocalFormat::find_tail(int fd, int64_t size, int64_t lines) {
  BackwardBlocks blocks(fd);
  // The writer may be in the middle of a record, or was killed there: then the way back begins at the last whole one.
  auto starts_at = [&](int64_t end) -> std::optional<int64_t> {
    auto length = blocks.length_before(end);
    if (!length || *length > kMaxLocalEntry) return std::nullopt;
    int64_t begin = end - *length - static_cast<int64_t>(2 * kLengthBytes);
    auto again = begin >= 0 ? blocks.length_before(begin + static_cast<int64_t>(kLengthBytes)) : std::nullopt;
    return again == length ? std::optional(begin) : std::nullopt;
  };
  TailPosition found{.offset = size};
  if (size > 0 && !starts_at(size)) found.offset = TRY(find_local_end(fd, size));
  while (found.lines < lines && found.offset > 0) {
    auto begin = starts_at(found.offset);
    if (!begin) break;
    found.offset = *begin;
    ++found.lines;
  }
  return found;
}

}  // namespace

std::unique_ptr<RecordFormat> make_format(Format format) {
  if (format == Format::Local) return std::make_unique<LocalFormat>();
  return std::make_unique<JsonFormat>();
}

}  // namespace sampan::logs
