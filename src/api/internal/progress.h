#pragma once
// api/internal/progress: Docker's jsonmessage stream: one JSON object per event, "\r\n" behind each.

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "api/internal/call.h"
#include "image/image.h"

namespace sampan::api {

std::string format_progress(const image::ProgressLine& line);
std::string format_stream_error(std::string_view message);

/// A ProgressSink that writes to a Reply. Byte counts that follow each other faster than a terminal shows them are
/// dropped. Threads: any. A client that has gone is noticed through the reply's cancel().
class ProgressStream {
 public:
  explicit ProgressStream(Reply& reply) : reply_(reply) {}
  /// The first line waits for the second: a pull that fails behind "Pulling from x" is still an HTTP error.
  void hold_first_line() { holding_ = true; }
  /// Writes what is still held.
  void release();
  void write(const image::ProgressLine& line);
  image::ProgressSink sink() {
    return [this](const image::ProgressLine& line) { write(line); };
  }

 private:
  bool is_due(const image::ProgressLine& line);

  Reply& reply_;
  std::mutex mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point> shown_;
  bool holding_ = false;
  std::string held_;
};

}  // namespace sampan::api
