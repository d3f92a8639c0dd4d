#pragma once
// logs/line_splitter: raw output becomes entries: one line each, or one part of a line that is longer than 16 KiB.
//
// The parts of a line carry a common random id, a number from 1 and, as Docker has it, the time of the first of them.

#include <functional>
#include <string>
#include <string_view>

#include "logs/logs.h"

namespace sampan::logs {

inline constexpr size_t kMaxLine = 16 << 10;  // a longer line becomes several entries

struct Entry {
  Stream stream = Stream::Stdout;
  codec::Time time;
  std::string_view text;  // without its "\n"
  bool partial = false, last = false;
  uint32_t ordinal = 0;
  std::string_view partial_id;
};

class LineSplitter {
 public:
  using Sink = std::function<void(const Entry&)>;

  void write(Stream stream, std::string_view bytes, codec::Time now, const Sink& sink);
  /// The line that has not ended yet, as if it had.
  void flush(codec::Time now, const Sink& sink);
  void trim();

 private:
  struct Held {
    std::string text;  // of the line that has not ended
    std::string id;    // "": no part of it was given out
    uint32_t ordinal = 0;
    codec::Time time;
  };
  /// Takes one line, or one part, or the unfinished rest, from the front of `bytes`.
  void take_piece(Stream stream, std::string_view& bytes, codec::Time now, const Sink& sink);
  void give_line(Stream stream, Held& held, std::string_view text, codec::Time now, const Sink& sink);
  void give_part(Stream stream, Held& held, codec::Time now, const Sink& sink);

  Held held_[2];  // of stdout and stderr
};

}  // namespace sampan::logs
