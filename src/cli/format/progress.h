#pragma once
// cli/format/progress: the message streams of pull, push, load, import and build, as Docker shows them: one line per
// layer that is redrawn on a terminal, plain lines without it.

#include <boost/json/fwd.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::cli {

/// Cuts concatenated JSON texts out of a byte stream.
class JsonStream {
 public:
  using Handler = std::function<Result<void>(const boost::json::value&)>;
  explicit JsonStream(Handler handler);
  ~JsonStream();
  /// Errors: InvalidArgument (no JSON), or the handler's.
  Result<void> feed(std::string_view bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class ProgressView {
 public:
  using Write = std::function<void(std::string_view)>;
  /// `columns` 0: not a terminal.
  ProgressView(Write write, unsigned columns) : write_(std::move(write)), columns_(columns) {}
  /// Called with every "aux" payload.
  std::function<void(const boost::json::value& aux)> on_aux;

  /// Shows one message. Errors: Unknown, the message of its "errorDetail".
  Result<void> show(const boost::json::value& message);

 private:
  void show_line(const boost::json::object& message);
  Write write_;
  unsigned columns_;
  std::map<std::string, size_t> lines_;  // the layers' lines, counted from the first
};

/// "[====>      ]  1.2MB/3MB" for a terminal of that width.
std::string progress_bar(int64_t current, int64_t total, std::string_view units, bool hide_counts, unsigned columns);

}  // namespace sampan::cli
