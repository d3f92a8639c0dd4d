#pragma once
// cli/stream/session: one attached connection: stdin to the container, its output to stdout and stderr, signals and
// window sizes beside, until the daemon closes the stream or the user detaches.

#include <functional>
#include <string>

#include "base/result.h"
#include "client/client.h"

namespace sampan::cli {

struct SessionOptions {
  bool tty = false;  // raw stream, else frames
  bool with_stdin = false;
  std::string detach_keys = "ctrl-p,ctrl-q";
  std::function<void(int signal)> on_signal = {};  // empty: the signal ends the program, after restoring the terminal
  std::function<void()> on_resize = {};
  std::function<Result<void>()> on_ready = {};  // called once the terminal and the signals are set up
};

enum class SessionEnd { Closed, Detached };

/// Blocks: until the stream ends. Errors: what on_ready returns; a broken stream.
Result<SessionEnd> run_session(client::Client::Upgraded connection, const SessionOptions& options);

/// "ctrl-p,ctrl-q" or "a,b" as bytes. Errors: InvalidArgument `invalid detach keys (x) provided`.
Result<std::string> parse_detach_keys(const std::string& text);

}  // namespace sampan::cli
