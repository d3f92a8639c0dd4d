#include "api/internal/progress.h"

#include "api/internal/json_answer.h"

namespace sampan::api {
namespace {

constexpr std::chrono::milliseconds kInterval(100);

}  // namespace

std::string format_stream_error(std::string_view message) {
  json::object out{{"errorDetail", json::object{{"message", message}}}, {"error", message}};
  return codec::format_json(out) + "\r\n";
}

std::string format_progress(const image::ProgressLine& line) {
  if (!line.error.empty()) return format_stream_error(line.error);
  json::object out;
  if (!line.stream.empty()) out["stream"] = line.stream;
  if (!line.status.empty()) {
    out["status"] = line.status;
    if (line.current > 0 || line.total > 0) {
      json::object detail{{"current", line.current}};
      if (line.total > 0) detail["total"] = line.total;
      out["progressDetail"] = std::move(detail);
    } else if (!line.id.empty()) {
      out["progressDetail"] = json::object();
    }
  }
  if (!line.id.empty()) out["id"] = line.id;
  if (!line.aux_json.empty()) {
    if (auto aux = codec::parse_json(line.aux_json)) out["aux"] = std::move(*aux);
  }
  return codec::format_json(out) + "\r\n";
}

bool ProgressStream::is_due(const image::ProgressLine& line) {
  if (line.total == 0 || line.current >= line.total) return true;
  auto now = std::chrono::steady_clock::now();
  auto& last = shown_[line.id];
  if (now - last < kInterval) return false;
  last = now;
  return true;
}

void ProgressStream::release() {
  std::lock_guard lock(mutex_);
  holding_ = false;
  if (!held_.empty()) (void)reply_.write(std::exchange(held_, {}));
}

void ProgressStream::write(const image::ProgressLine& line) {
  std::lock_guard lock(mutex_);
  if (!is_due(line)) return;
  std::string text = format_progress(line);
  if (holding_) {
    holding_ = false;
    held_ = std::move(text);
    return;
  }
  // A failed write means that the client has gone: cancel() is set by then and ends the work.
  (void)reply_.write(std::exchange(held_, {}) + text);
}

}  // namespace sampan::api
