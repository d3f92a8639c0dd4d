#include "cli/format/progress.h"

#include "base/strings.h"
#include "cli/format/human.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

struct JsonStream::State {
  json::stream_parser parser;
  Handler handler;
  bool inside = false;
};

JsonStream::JsonStream(Handler handler) : state_(std::make_unique<State>()) {
  state_->handler = std::move(handler);
}
JsonStream::~JsonStream() = default;

Result<void> JsonStream::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!state_->inside) {
      // Blanks between two texts belong to neither; 0x1E starts a text of a json-seq.
      size_t start = bytes.find_first_not_of(" \t\r\n\x1e");
      if (start == std::string_view::npos) return {};
      bytes.remove_prefix(start);
      state_->inside = true;
    }
    boost::system::error_code error;
    size_t used = state_->parser.write_some(bytes.data(), bytes.size(), error);
    if (error) return fail(Code::InvalidArgument, "invalid JSON from the daemon: {}", error.message());
    bytes.remove_prefix(used);
    if (!state_->parser.done()) return {};
    json::value value = state_->parser.release();
    state_->parser.reset();
    state_->inside = false;
    TRY(state_->handler(value));
  }
  return {};
}

namespace {

std::string text_at(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

int64_t number_at(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_number() ? value->to_number<int64_t>() : 0;
}

std::string bar_of(const json::object& message, unsigned columns) {
  const auto* detail = message.if_contains("progressDetail");
  if (!detail || !detail->is_object()) return {};
  const auto& object = detail->get_object();
  const auto* hide = object.if_contains("hidecounts");
  return progress_bar(number_at(object, "current"), number_at(object, "total"), text_at(object, "units"),
                      hide && hide->is_bool() && hide->get_bool(), columns);
}

std::optional<Error> error_of(const json::object& message) {
  const auto* detail = message.if_contains("errorDetail");
  std::string text = detail && detail->is_object() ? text_at(detail->get_object(), "message") : std::string();
  if (text.empty()) text = text_at(message, "error");
  if (text.empty()) return std::nullopt;
  return Error(Code::Unknown, text);
}

}  // namespace

std::string progress_bar(int64_t current, int64_t total, std::string_view units, bool hide_counts, unsigned columns) {
  if (current <= 0 && total <= 0) return {};
  auto count = [&](int64_t value) {
    return units.empty() ? human_size(static_cast<double>(value)) : std::to_string(value);
  };
  std::string tail = units.empty() ? std::string() : " " + std::string(units);
  if (total <= 0) return fmt::format("{:>8}{}", count(current), tail);
  std::string out;
  if (columns > 110) {
    auto done = static_cast<size_t>(std::clamp<int64_t>(current * 50 / total, 0, 50));
    out = "[" + std::string(done, '=') + ">" + std::string(50 - done, ' ') + "]  ";
  }
  if (!hide_counts) {
    out += current > total ? fmt::format("{:>8}{}", count(current), tail)
                           : fmt::format("{:>8}/{}{}", count(current), count(total), tail);
  }
  return out;
}

Result<void> ProgressView::show(const json::value& message) {
  const auto* object = message.if_object();
  if (!object) return {};
  if (const auto* aux = object->if_contains("aux"); aux && !aux->is_null()) {
    if (on_aux) on_aux(*aux);
    return {};
  }
  if (auto error = error_of(*object)) return std::move(*error);
  std::string id = text_at(*object, "id");
  const auto* detail = object->if_contains("progressDetail");
  bool has_line = !id.empty() && detail && detail->is_object();
  if (!columns_) {
    show_line(*object);
    return {};
  }
  if (!has_line) {
    lines_.clear();
    show_line(*object);
    return {};
  }
  auto [it, added] = lines_.try_emplace(id, lines_.size());
  if (added) write_("\n");
  size_t up = lines_.size() - it->second;
  write_(fmt::format("\x1b[{}A\x1b[2K\r", up));
  show_line(*object);
  // The line ended without a line break or with one: either way the cursor belongs under the last line.
  write_(fmt::format("\x1b[{}B\r", up));
  return {};
}

void ProgressView::show_line(const json::object& message) {
  std::string stream = text_at(message, "stream");
  std::string id = text_at(message, "id");
  std::string bar = bar_of(message, columns_ ? columns_ : 200);
  if (!columns_ && !bar.empty()) return;  // plain output has only what is final
  if (!stream.empty()) return write_(stream);
  std::string line = text_at(message, "status");
  if (line.empty() && id.empty()) return;
  if (!id.empty()) line = id + ": " + line;
  if (!bar.empty()) line += " " + bar;
  if (columns_) line = ellipsis(line, columns_ - 1);
  const auto* detail = message.if_contains("progressDetail");
  bool redrawn = columns_ && !id.empty() && detail && detail->is_object();
  write_(redrawn ? line : line + "\n");
}

}  // namespace sampan::cli
