#pragma once
// cli/stream/frames: undoing the 8-byte frames of attach, exec and logs without a terminal. Pure.

#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::cli {

enum class Output { Stdout = 1, Stderr = 2 };
using OutputSink = std::function<Result<void>(Output, std::string_view)>;

class FrameDecoder {
 public:
  /// Hands payloads on as they arrive; frames may be cut anywhere.
  /// Errors: Internal (the daemon's own error frame, an unknown stream), or the sink's.
  Result<void> decode(std::string_view bytes, const OutputSink& sink);
  /// True when the last frame is whole.
  bool at_boundary() const { return have_ == 0 && left_ == 0; }

 private:
  Result<void> begin_frame();

  std::array<char, 8> header_{};
  size_t have_ = 0;  // bytes of the header
  size_t left_ = 0;  // bytes of the payload to come
  int stream_ = 0;
  std::string error_;  // the daemon's message, while it arrives
};

}  // namespace sampan::cli
