#include "cli/format/human.h"

#include <fmt/format.h>
#include <time.h>

#include <cmath>

namespace sampan::cli {

namespace {

std::string scaled(double value, double base, const char* const* units, int count, int precision) {
  int unit = 0;
  while (value >= base && unit < count - 1) {
    value /= base;
    ++unit;
  }
  return fmt::format("{:.{}g}{}", value, precision, units[unit]);
}

std::string counted(int64_t count, const char* unit) {
  return fmt::format("{} {}", count, unit);
}

}  // namespace

std::string human_duration(int64_t nanos) {
  double total_seconds = static_cast<double>(nanos) / 1e9;
  int64_t seconds = nanos / 1'000'000'000;
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return counted(seconds, "seconds");
  int64_t minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return counted(minutes, "minutes");
  auto hours = static_cast<int64_t>(total_seconds / 3600 + 0.5);
  if (hours == 1) return "About an hour";
  if (hours < 48) return counted(hours, "hours");
  if (hours < 24 * 7 * 2) return counted(hours / 24, "days");
  if (hours < 24 * 30 * 2) return counted(hours / 24 / 7, "weeks");
  if (hours < 24 * 365 * 2) return counted(hours / 24 / 30, "months");
  return counted(static_cast<int64_t>(total_seconds / 3600) / 24 / 365, "years");
}

std::string human_size(double bytes, int precision) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
  return scaled(bytes, 1000, kUnits, 9, precision);
}

std::string human_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
  return scaled(bytes, 1024, kUnits, 9, 4);
}

std::string short_id(std::string_view id) {
  if (size_t colon = id.find(':'); colon != std::string_view::npos) id.remove_prefix(colon + 1);
  return std::string(id.substr(0, 12));
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++width;
  }
  return width;
}

std::string ellipsis(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::string out;
  size_t taken = 0;
  for (char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 && ++taken == width) break;
    out += c;
  }
  return out + "…";
}

std::string local_time(int64_t unix_seconds) {
  time_t when = static_cast<time_t>(unix_seconds);
  tm parts{};
  ::localtime_r(&when, &parts);
  char buffer[64];
  size_t size = ::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S %z %Z", &parts);
  return std::string(buffer, size);
}

int64_t now_nanos() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace sampan::cli
