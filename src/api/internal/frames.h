#pragma once
// api/internal/frames: log lines as bytes of the attach and logs streams. Pure.

#include <string>
#include <string_view>

#include "logs/logs.h"

namespace sampan::api {

/// The 8-byte header of a multiplexed stream and the payload behind it.
std::string format_frame(logs::Stream stream, std::string_view payload);

struct LineFormat {
  bool multiplexed = true, timestamps = false, details = false;
};
void append_line(const logs::Line& line, const LineFormat& format, std::string& out);

}  // namespace sampan::api
