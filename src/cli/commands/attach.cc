// attach, start.
#include <optional>

#include "cli/commands/commands.h"
#include "cli/commands/container_session.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

struct AttachPlan {
  std::string id;
  bool tty = false;
  bool with_stdin = false;
  bool signals = false;  // passed on
  std::string keys;
};

bool member_is(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* at = &value;
  for (std::string_view name : path) {
    at = at->is_object() ? at->get_object().if_contains(name) : nullptr;
    if (!at) return false;
  }
  return at->is_bool() && at->get_bool();
}

// Attaches, calls `begin` when the stream stands, and returns the container's exit code.
Result<int> attach_and_wait(App& app, const AttachPlan& plan, const std::string& condition,
                            const std::function<Result<void>()>& begin) {
  std::string path = "/containers/" + segment(plan.id);
  Query query(path + "/attach");
  query.add("stream", "1").add("stdout", "1").add("stderr", "1");
  if (plan.with_stdin) query.add("stdin", "1");
  if (!plan.keys.empty()) query.add("detachKeys", plan.keys);
  auto connection = TRY(app.client->hijack("POST", query.str()));
  auto wait = TRY(PendingWait::begin(app, plan.id, condition));
  SessionOptions options;
  options.tty = plan.tty;
  options.with_stdin = plan.with_stdin;
  options.detach_keys = plan.keys;
  if (plan.signals) options.on_signal = [&](int signal) { send_signal(app, plan.id, signal); };
  if (plan.tty) options.on_resize = [&] { resize_to_terminal(app, path); };
  options.on_ready = [&]() -> Result<void> {
    TRY(begin());
    if (plan.tty) resize_to_terminal(app, path);
    return {};
  };
  if (TRY(run_session(std::move(connection), options)) == SessionEnd::Detached) return 0;
  return wait.exit_code();
}

Result<int> start_one_attached(App& app, const Arguments& arguments) {
  if (arguments.positional.size() > 1) {
    return fail(Code::InvalidArgument, "you cannot start and attach multiple containers at once");
  }
  const std::string& name = arguments.positional[0];
  std::string path = "/containers/" + segment(name);
  auto details = TRY(get_json(app, path + "/json"));
  AttachPlan plan;
  plan.id = std::string(details.at("Id").as_string());
  plan.tty = member_is(details, {"Config", "Tty"});
  plan.with_stdin = arguments.flag("interactive") && member_is(details, {"Config", "OpenStdin"});
  plan.signals = !plan.tty;
  plan.keys = detach_keys(app, arguments);
  bool removed = member_is(details, {"HostConfig", "AutoRemove"});
  return attach_and_wait(app, plan, removed ? "removed" : "next-exit", [&]() -> Result<void> {
    TRY(post(app, path + "/start"));
    return {};
  });
}

}  // namespace

Result<int> attach_container(App& app, const Arguments& arguments) {
  const std::string& name = arguments.positional[0];
  auto details = TRY(get_json(app, "/containers/" + segment(name) + "/json"));
  if (!member_is(details, {"State", "Running"})) {
    return fail(Code::Conflict, "You cannot attach to a stopped container, start it first");
  }
  if (member_is(details, {"State", "Paused"})) {
    return fail(Code::Conflict, "You cannot attach to a paused container, unpause it first");
  }
  if (member_is(details, {"State", "Restarting"})) {
    return fail(Code::Conflict, "You cannot attach to a restarting container, wait until it is running");
  }
  AttachPlan plan;
  plan.id = std::string(details.at("Id").as_string());
  plan.tty = member_is(details, {"Config", "Tty"});
  plan.with_stdin = !arguments.flag("no-stdin") && member_is(details, {"Config", "OpenStdin"});
  plan.signals = arguments.flag("sig-proxy") && !plan.tty;
  plan.keys = detach_keys(app, arguments);
  TRY(check_terminal(plan.with_stdin, plan.tty));
  return attach_and_wait(app, plan, "not-running", []() -> Result<void> { return {}; });
}

Result<int> start_containers(App& app, const Arguments& arguments) {
  if (arguments.flag("attach") || arguments.flag("interactive")) return start_one_attached(app, arguments);
  std::vector<std::string> failed;
  int code = TRY(for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    auto started = post(app, "/containers/" + segment(name) + "/start");
    if (!started) {
      failed.push_back(name);
      return std::move(started).error();
    }
    return name;
  }));
  if (!failed.empty()) {
    std::string list;
    for (const std::string& name : failed) list += (list.empty() ? "" : ", ") + name;
    return fail(Code::Unknown, "Error: failed to start containers: {}", list);
  }
  return code;
}

}  // namespace sampan::cli
