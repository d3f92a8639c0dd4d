#include "logs/internal/line_splitter.h"

#include <sys/random.h>

#include <array>
#include <cstring>

namespace sampan::logs {

namespace {

std::string make_partial_id() {
  std::array<char, 32> bytes{};
  // Short of entropy is no reason to lose a line: an id of zeros still ties its parts together.
  (void)!::getrandom(bytes.data(), bytes.size(), GRND_NONBLOCK);
  return codec::format_hex({bytes.data(), bytes.size()});
}

}  // namespace

void LineSplitter::write(Stream stream, std::string_view bytes, codec::Time now, const Sink& sink) {
  while (!bytes.empty()) take_piece(stream, bytes, now, sink);
}

void LineSplitter::take_piece(Stream stream, std::string_view& bytes, codec::Time now, const Sink& sink) {
  Held& held = held_[stream == Stream::Stderr];
  size_t room = kMaxLine - held.text.size();
  const void* newline = std::memchr(bytes.data(), '\n', std::min(bytes.size(), room + 1));
  if (newline) {
    auto length = static_cast<size_t>(static_cast<const char*>(newline) - bytes.data());
    std::string_view line = bytes.substr(0, length);
    bytes.remove_prefix(length + 1);
    if (held.text.empty()) return give_line(stream, held, line, now, sink);
    held.text.append(line);
    std::string whole = std::exchange(held.text, {});
    return give_line(stream, held, whole, now, sink);
  }
  std::string_view rest = bytes.substr(0, room);
  held.text.append(rest);
  bytes.remove_prefix(rest.size());
  // A full line whose end has not been seen yet waits for one byte more: it may be the "\n".
  if (held.text.size() == kMaxLine && !bytes.empty()) give_part(stream, held, now, sink);
}

void LineSplitter::give_line(Stream stream, Held& held, std::string_view text, codec::Time now, const Sink& sink) {
  Entry entry{.stream = stream, .time = now, .text = text};
  if (!held.id.empty()) {
    entry.partial = entry.last = true;
    entry.ordinal = ++held.ordinal;
    entry.partial_id = held.id;
    entry.time = held.time;
  }
  sink(entry);
  held.id.clear();
  held.ordinal = 0;
}

void LineSplitter::give_part(Stream stream, Held& held, codec::Time now, const Sink& sink) {
  if (held.id.empty()) {
    held.id = make_partial_id();
    held.time = now;
  }
  sink({.stream = stream,
        .time = held.time,
        .text = held.text,
        .partial = true,
        .ordinal = ++held.ordinal,
        .partial_id = held.id});
  held.text.clear();
}

void LineSplitter::flush(codec::Time now, const Sink& sink) {
  for (Stream stream : {Stream::Stdout, Stream::Stderr}) {
    Held& held = held_[stream == Stream::Stderr];
    if (held.text.empty() && held.id.empty()) continue;
    std::string rest = std::exchange(held.text, {});
    give_line(stream, held, rest, now, sink);
  }
}

void LineSplitter::trim() {
  for (Held& held : held_) {
    if (held.text.empty()) held.text = {};
  }
}

}  // namespace sampan::logs
