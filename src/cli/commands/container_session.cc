#include "cli/commands/container_session.h"

#include <unistd.h>

#include "cli/stream/signals.h"
#include "cli/stream/terminal.h"
#include "codec/json.h"

namespace sampan::cli {

Result<PendingWait> PendingWait::begin(App& app, const std::string& id, const std::string& condition) {
  Query query("/containers/" + segment(id) + "/wait");
  query.add("condition", condition);
  auto exchange = TRY(app.client->begin("POST", query.str()));
  PendingWait out(std::move(exchange));
  if (out.exchange_->head().status >= 400) {
    client::Response response = out.exchange_->head();
    std::vector<char> buffer(4096);
    while (size_t count = TRY(out.exchange_->read(buffer))) response.body.append(buffer.data(), count);
    return client::response_error(response);
  }
  return out;
}

Result<int> PendingWait::exit_code() {
  std::string body;
  std::vector<char> buffer(4096);
  while (size_t count = TRY(exchange_->read(buffer))) body.append(buffer.data(), count);
  auto value = TRY(codec::parse_json(body));
  const auto* object = value.if_object();
  if (!object) return fail(Code::Internal, "the daemon's answer to wait is not an object");
  if (const auto* error = object->if_contains("Error"); error && error->is_object()) {
    const auto* message = error->get_object().if_contains("Message");
    if (message && message->is_string() && !message->get_string().empty()) {
      return Error(Code::Internal, "Error waiting for container: " + std::string(message->get_string()));
    }
  }
  const auto* code = object->if_contains("StatusCode");
  return code && code->is_number() ? static_cast<int>(code->to_number<int64_t>()) : 0;
}

void resize_to_terminal(App& app, const std::string& path) {
  auto size = window_size(STDOUT_FILENO);
  if (!size) size = window_size(STDIN_FILENO);
  if (!size) return;
  Query query(path + "/resize");
  query.add("h", std::to_string(size->rows)).add("w", std::to_string(size->columns));
  (void)app.client->call("POST", query.str());
}

void send_signal(App& app, const std::string& id, int signal) {
  Query query("/containers/" + segment(id) + "/kill");
  query.add("signal", signal_name(signal));
  (void)app.client->call("POST", query.str());  // it may have ended meanwhile
}

std::string detach_keys(App& app, const Arguments& arguments) {
  std::string keys = arguments.get("detach-keys");
  return keys.empty() ? app.config.text("detachKeys") : keys;
}

Result<void> check_terminal(bool attach_stdin, bool tty) {
  if (attach_stdin && tty && !is_terminal(STDIN_FILENO)) {
    return fail(Code::InvalidArgument, "the input device is not a TTY");
  }
  return {};
}

}  // namespace sampan::cli
