#include "cli/stream/frames.h"

#include <algorithm>

#include "base/strings.h"

namespace sampan::cli {

namespace {

constexpr int kSystemError = 3;

}  // namespace

Result<void> FrameDecoder::begin_frame() {
  auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(header_[i])); };
  stream_ = static_cast<int>(byte(0));
  left_ = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
  have_ = 0;
  if (stream_ > kSystemError) return fail(Code::Internal, "Unrecognized input header: {}", stream_);
  return {};
}

Result<void> FrameDecoder::decode(std::string_view bytes, const OutputSink& sink) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      size_t count = std::min(header_.size() - have_, bytes.size());
      std::copy_n(bytes.data(), count, header_.data() + have_);
      have_ += count;
      bytes.remove_prefix(count);
      if (have_ < header_.size()) return {};
      TRY(begin_frame());
      continue;
    }
    std::string_view piece = bytes.substr(0, left_);
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    if (stream_ == kSystemError) {
      error_ += piece;
      if (left_ == 0) return fail(Code::Internal, "error from daemon in stream: {}", trim(error_));
    } else {
      TRY(sink(stream_ == 2 ? Output::Stderr : Output::Stdout, piece));
    }
  }
  return {};
}

}  // namespace sampan::cli
