// version, events, dial-stdio.
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/progress.h"
#include "cli/format/template.h"
#include "cli/format/time_argument.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

std::string architecture() {
  utsname name{};
  ::uname(&name);
  std::string machine = name.machine;
  return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine;
}

json::object client_version() {
  return json::object{{"Version", SAMPAN_VERSION},
                      {"ApiVersion", kApiVersion},
                      {"DefaultAPIVersion", kApiVersion},
                      {"Os", "linux"},
                      {"Arch", architecture()},
                      {"Context", "default"},
                      {"Platform", json::object{{"Name", "Sampan"}}}};
}

std::string details_text(const json::value& component) {
  std::string out;
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"ApiVersion", "API version"}, {"GoVersion", "Go version"}, {"GitCommit", "Git commit"}, {"BuildTime", "Built"}};
  for (const auto& [member, label] : kNames) {
    std::string value = text_at(component, "Details." + std::string(member));
    if (value.empty()) continue;
    if (member == "ApiVersion")
      value += fmt::format(" (minimum version {})", text_at(component, "Details.MinAPIVersion"));
    out += fmt::format("  {:<18}{}\n", std::string(label) + ":", value);
  }
  std::string os = text_at(component, "Details.Os");
  if (!os.empty()) out += fmt::format("  {:<18}{}/{}\n", "OS/Arch:", os, text_at(component, "Details.Arch"));
  return out;
}

std::string version_text(const json::value& both) {
  std::string out = "Client: Sampan\n";
  auto line = [](std::string_view label, const std::string& value) { return fmt::format(" {:<19}{}\n", label, value); };
  out += line("Version:", text_at(both, "Client.Version")) + line("API version:", text_at(both, "Client.ApiVersion")) +
         line("OS/Arch:", "linux/" + text_at(both, "Client.Arch")) + line("Context:", "default");
  const auto& server = member_at(both, "Server");
  if (!server.is_object()) return out;
  out += fmt::format("\nServer: {}\n", text_at(server, "Platform.Name"));
  for (const auto& component : list_at(server, "Components")) {
    out += fmt::format(" {}:\n  {:<18}{}\n", text_at(component, "Name"), "Version:", text_at(component, "Version"));
    out += details_text(component);
  }
  if (list_at(server, "Components").empty()) out += line("Version:", text_at(server, "Version"));
  return out;
}

// One event as Docker prints it: time, type, action, id, attributes.
std::string event_line(const json::value& event) {
  int64_t nanos = number_at(event, "timeNano");
  if (!nanos) nanos = number_at(event, "time") * 1'000'000'000;
  std::vector<std::string> attributes;
  for (const auto& item : object_at(event, "Actor.Attributes")) {
    attributes.push_back(std::string(item.key()) + "=" +
                         (item.value().is_string() ? std::string(item.value().get_string()) : ""));
  }
  std::ranges::sort(attributes);
  std::string out = fmt::format("{} {} {} {}", codec::format_rfc3339_fixed({nanos}), text_at(event, "Type"),
                                text_at(event, "Action"), text_at(event, "Actor.ID"));
  if (!attributes.empty()) out += " (" + join(attributes, ", ") + ")";
  return out + "\n";
}

// Copies in both directions until the daemon closes; the end of stdin is a half-close.
Result<void> copy_both_ways(int socket) {
  std::vector<char> buffer(64 << 10);
  bool input_open = true;
  while (true) {
    pollfd waits[2] = {{socket, POLLIN, 0}, {input_open ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return sys::sys_error("poll");
    }
    if (waits[0].revents) {
      size_t count = TRY(sys::read_some(socket, buffer));
      if (count == 0) return {};
      TRY(sys::write_all(STDOUT_FILENO, std::string_view(buffer.data(), count)));
    }
    if (input_open && waits[1].revents) {
      size_t count = TRY(sys::read_some(STDIN_FILENO, buffer));
      input_open = count > 0;
      if (count == 0) ::shutdown(socket, SHUT_WR);
      TRY(sys::write_all(socket, std::string_view(buffer.data(), count)));
    }
  }
}

}  // namespace

Result<int> show_version(App& app, const Arguments& arguments) {
  json::object both{{"Client", client_version()}};
  auto server = get_json(app, "/version");
  both["Server"] = server ? *server : json::value(nullptr);
  std::string format = arguments.get("format");
  if (format == "json") {
    print_out(codec::format_json(both) + "\n");
  } else if (!format.empty()) {
    print_out(TRY(TRY(Template::parse(format)).run(both)) + "\n");
  } else {
    print_out(version_text(both));
  }
  if (server) return 0;
  return std::move(server).error();
}

Result<int> show_events(App& app, const Arguments& arguments) {
  std::string format = arguments.get("format");
  std::optional<Template> text;
  if (!format.empty() && format != "json") text = TRY(Template::parse(format));
  Query query("/events");
  Arguments asked = arguments;
  for (auto& [option, value] : asked.given) {
    if (option->name == "since" || option->name == "until") value = TRY(time_argument(value));
  }
  TRY(add_query(asked, query));
  JsonStream events([&](const json::value& event) -> Result<void> {
    if (format == "json") {
      print_out(codec::format_json(event) + "\n");
    } else if (!text) {
      print_out(event_line(event));
    } else {
      // Events have members of their own names in templates: .ID, .Status, .From as before, and .Actor.
      json::object row = event.is_object() ? event.get_object() : json::object();
      row["ID"] = text_at(event, "Actor.ID");
      row["Status"] = text_at(event, "Action");
      row["From"] = text_at(event, "Actor.Attributes.image");
      row["Time"] = number_at(event, "time");
      row["TimeNano"] = number_at(event, "timeNano");
      row["Scope"] = text_at(event, "scope");
      print_out(TRY(text->run(row)) + "\n");
    }
    return {};
  });
  TRY(stream_request(app, "GET", query.str(), {}, [&](std::string_view bytes) { return events.feed(bytes); }));
  return 0;
}

Result<int> dial_stdio(App& app, const Arguments& arguments) {
  auto socket = TRY(client::connect_socket(app.host));
  TRY(copy_both_ways(socket.get()));
  return 0;
}

}  // namespace sampan::cli
