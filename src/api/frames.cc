#include "api/internal/frames.h"

#include "codec/text.h"

namespace sampan::api {

namespace {

constexpr size_t kHeaderBytes = 8;

void put_header(logs::Stream stream, size_t payload, char* out) {
  *out = static_cast<char>(stream);
  auto size = static_cast<uint32_t>(payload);
  for (size_t i = 0; i < 4; ++i) out[4 + i] = static_cast<char>(size >> (24 - 8 * i));
}

void append_details(const std::map<std::string, std::string>& attributes, std::string& out) {
  size_t begin = out.size();
  for (const auto& [key, value] : attributes) {  // the map is sorted
    if (out.size() > begin) out += ',';
    out += codec::format_percent(key) + "=" + codec::format_percent(value);
  }
  out += ' ';
}

}  // namespace

std::string format_frame(logs::Stream stream, std::string_view payload) {
  std::string out(kHeaderBytes, '\0');
  put_header(stream, payload.size(), out.data());
  out += payload;
  return out;
}

void append_line(const logs::Line& line, const LineFormat& format, std::string& out) {
  size_t begin = out.size();
  if (format.multiplexed) out.append(kHeaderBytes, '\0');
  size_t payload = out.size();
  if (format.timestamps) out += codec::format_rfc3339_fixed(line.time) + " ";
  if (format.details) append_details(line.attributes, out);
  out += line.text;
  if (format.multiplexed) put_header(line.stream, out.size() - payload, out.data() + begin);
}

}  // namespace sampan::api
