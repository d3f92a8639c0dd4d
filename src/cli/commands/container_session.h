#pragma once
// cli/commands/container_session: attaching, waiting and resizing, shared by run, start, attach and exec.

#include <functional>
#include <memory>
#include <string>

#include "cli/app.h"
#include "cli/stream/session.h"

namespace sampan::cli {

/// POST .../wait: asked now, answered later. The head says that the daemon is waiting.
class PendingWait {
 public:
  /// `condition`: "next-exit", "removed", "not-running".
  static Result<PendingWait> begin(App& app, const std::string& id, const std::string& condition);
  /// Blocks: until the container ends. Errors: the daemon's.
  Result<int> exit_code();

 private:
  explicit PendingWait(std::unique_ptr<client::Exchange> exchange) : exchange_(std::move(exchange)) {}
  std::unique_ptr<client::Exchange> exchange_;
};

/// Tells the daemon the size of this terminal; failures are not the user's business: the container may have ended.
void resize_to_terminal(App& app, const std::string& path);
/// Sends the signal on to the container.
void send_signal(App& app, const std::string& id, int signal);
/// The keys of --detach-keys, or of the configuration.
std::string detach_keys(App& app, const Arguments& arguments);
/// Docker's check: with -t and -i, stdin must be a terminal.
Result<void> check_terminal(bool attach_stdin, bool tty);

}  // namespace sampan::cli
