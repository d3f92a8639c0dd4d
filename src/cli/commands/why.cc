// why: what happened to a container, in plain words, and the last that it said.

#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/time_argument.h"
#include "cli/stream/frames.h"
#include "cli/values/reference.h"
#include "codec/json.h"
#include "sys/file.h"

namespace sampan::cli {

namespace {

/// A server that is not Sampan explains nothing: its plain members are what can be said.
std::string explanation_of(const boost::json::value& details) {
  std::string text = text_at(details, "State.Sampan.Explanation");
  if (!text.empty()) return text;
  if (text_at(details, "State.Status") != "exited") return "It is " + text_at(details, "State.Status") + ".";
  text = "It ended with exit code " + text_at(details, "State.ExitCode");
  if (flag_at(details, "State.OOMKilled")) text += "; memory ran out while it ran";
  std::string error = text_at(details, "State.Error");
  return text + (error.empty() ? "." : ": " + error);
}

Result<std::string> last_lines(App& app, const std::string& path, const boost::json::value& details,
                               const std::string& tail) {
  Query query(path + "/logs");
  query.add("stdout", "1").add("stderr", "1").add("tail", tail);
  bool tty = flag_at(details, "Config.Tty");
  std::string out;
  FrameDecoder frames;
  auto sink = [&](Output, std::string_view bytes) -> Result<void> {
    out.append(bytes);
    return {};
  };
  TRY(stream_request(app, "GET", query.str(), {}, [&](std::string_view bytes) -> Result<void> {
    if (!tty) return frames.decode(bytes, sink);
    out.append(bytes);
    return {};
  }));
  return out;
}

}  // namespace

Result<int> explain_container(App& app, const Arguments& arguments) {
  const std::string& name = arguments.positional[0];
  std::string path = "/containers/" + segment(name);
  auto details = TRY(get_json(app, path + "/json"));
  std::string shown = text_at(details, "Name");
  if (shown.starts_with('/')) shown = shown.substr(1);
  print_out(fmt::format("{} ({}): {}\n", shown.empty() ? name : shown, text_at(details, "State.Status"),
                        explanation_of(details)));
  const std::string tail = arguments.get("tail");
  if (tail == "0") return 0;
  auto lines = last_lines(app, path, details, tail);
  // A driver that cannot be read is no reason to say less.
  if (!lines) {
    print_out("Its log cannot be read: " + lines.error().message() + "\n");
  } else if (lines->empty()) {
    print_out("It has written nothing.\n");
  } else {
    print_out("The last lines of its log:\n" + *lines + (lines->ends_with('\n') ? "" : "\n"));
  }
  return 0;
}

}  // namespace sampan::cli
