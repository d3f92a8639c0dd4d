#pragma once
// cli/commands/transfer: requests whose answer is a message stream, shared by pull, push, load, import, build and run.

#include <boost/json/fwd.hpp>

#include <functional>
#include <string>

#include "cli/app.h"

namespace sampan::cli {

enum class Quiet : bool { No, Yes };

struct TransferRequest {
  std::string method = "POST";
  std::string path;
  client::CallOptions options;
  int output_fd = 1;  // run shows the pull on stderr
  Quiet quiet = Quiet::No;
  std::function<void(const boost::json::value& aux)> on_aux = {};
};
/// Streams the messages to the terminal. Errors: the stream's own error message, or the answer's.
Result<void> transfer(App& app, const TransferRequest& request);

/// Pulls an image, as pull and run do. `name` as the user gave it.
Result<void> pull_by_name(App& app, const std::string& name, const std::string& platform, int output_fd, Quiet quiet);

}  // namespace sampan::cli
