#include "api/internal/frames.h"

#include "codec/text.h"

namespace sampan::api {

std::string format_frame(logs::Stream stream, std::string_view payload) {
  auto size = static_cast<uint32_t>(payload.size());
  std::string out = {static_cast<char>(stream),
                     0,
                     0,
                     0,
                     static_cast<char>(size >> 24),
                     static_cast<char>(size >> 16),
                     static_cast<char>(size >> 8),
                     static_cast<char>(size)};
  out += payload;
  return out;
}

void append_line(const logs::Line& line, const LineFormat& format, std::string& out) {
  std::string text;
  if (format.timestamps) text += codec::format_rfc3339_fixed(line.time) + " ";
  if (format.details) {
    std::string pairs;  // the map is sorted
    for (const auto& [key, value] : line.attributes) {
      if (!pairs.empty()) pairs += ',';
      pairs += codec::format_percent(key) + "=" + codec::format_percent(value);
    }
    text += pairs + " ";
  }
  text += line.text;
  if (format.multiplexed) {
    out += format_frame(line.stream, text);
  } else {
    out += text;
  }
}

}  // namespace sampan::api
