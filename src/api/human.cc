#include "api/internal/human.h"

#include <fmt/format.h>

#include "codec/text.h"

namespace sampan::api {
namespace {

int64_t seconds_since(const std::string& rfc3339, int64_t now_unix) {
  auto time = codec::parse_rfc3339(rfc3339);
  if (!time || time->is_zero()) return 0;
  return std::max<int64_t>(0, now_unix - time->unix_nanos / 1'000'000'000);
}

std::string health_suffix(const container::ContainerState& state) {
  if (!state.health || state.health->status.empty() || state.health->status == "none") return "";
  if (state.health->status == "starting") return " (health: starting)";
  return " (" + state.health->status + ")";
}

}  // namespace

std::string format_human_duration(int64_t seconds) {
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  int64_t minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  int64_t hours = (seconds + 1800) / 3600;
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", hours / 24 / 365);
}

std::string format_status(const container::ContainerState& state, int64_t now_unix) {
  const std::string& status = state.status;
  std::string up = format_human_duration(seconds_since(state.started_at, now_unix));
  std::string down = format_human_duration(seconds_since(state.finished_at, now_unix));
  if (status == "running") return "Up " + up + health_suffix(state);
  if (status == "paused") return "Up " + up + " (Paused)";
  if (status == "restarting") return fmt::format("Restarting ({}) {} ago", state.exit_code, down);
  if (status == "removing") return "Removal In Progress";
  if (status == "dead") return "Dead";
  if (status == "created") return "Created";
  return fmt::format("Exited ({}) {} ago", state.exit_code, down);
}

}  // namespace sampan::api
