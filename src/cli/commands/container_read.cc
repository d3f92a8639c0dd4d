// logs, top, port, diff, commit, export.
#include <fcntl.h>
#include <unistd.h>

#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/output_file.h"
#include "cli/commands/rows.h"
#include "cli/format/table.h"
#include "cli/format/time_argument.h"
#include "cli/stream/frames.h"
#include "cli/values/reference.h"
#include "codec/json.h"
#include "sys/file.h"

namespace sampan::cli {

namespace json = boost::json;

Result<int> show_logs(App& app, const Arguments& arguments) {
  std::string path = "/containers/" + segment(arguments.positional[0]);
  auto details = TRY(get_json(app, path + "/json"));
  Query query(path + "/logs");
  for (const char* flag : {"details", "follow", "timestamps"}) {
    if (arguments.flag(flag)) query.add(flag, "1");
  }
  for (const char* name : {"since", "until"}) {
    if (arguments.has(name))
      query.add(name,
                TRY_CONTEXT(time_argument(arguments.get(name)), std::string("invalid value for \"") + name + "\""));
  }
  query.add("stdout", "1").add("stderr", "1").add("tail", arguments.get("tail"));
  bool tty = flag_at(details, "Config.Tty");
  FrameDecoder frames;
  auto sink = [](Output output, std::string_view bytes) {
    return sys::write_all(output == Output::Stderr ? STDERR_FILENO : STDOUT_FILENO, bytes);
  };
  TRY(stream_request(app, "GET", query.str(), {}, [&](std::string_view bytes) -> Result<void> {
    if (tty) return sys::write_all(STDOUT_FILENO, bytes);
    return frames.decode(bytes, sink);
  }));
  return 0;
}

Result<int> show_processes(App& app, const Arguments& arguments) {
  Query query("/containers/" + segment(arguments.positional[0]) + "/top");
  if (arguments.positional.size() > 1) {
    query.add("ps_args",
              join(std::vector<std::string>(arguments.positional.begin() + 1, arguments.positional.end()), " "));
  }
  auto answer = TRY(get_json(app, query.str()));
  auto line = [](const json::array& cells) {
    std::string out;
    for (const auto& cell : cells) {
      if (!out.empty()) out += '\t';
      out += cell.is_string() ? std::string(cell.get_string()) : std::string();
    }
    return out + "\n";
  };
  std::string text = line(list_at(answer, "Titles"));
  for (const auto& process : list_at(answer, "Processes")) text += line(process.as_array());
  constexpr size_t kColumnWidth = 20;
  print_out(align_columns(text, kColumnWidth));
  return 0;
}

Result<int> show_ports(App& app, const Arguments& arguments) {
  const std::string& name = arguments.positional[0];
  auto details = TRY(get_json(app, "/containers/" + segment(name) + "/json"));
  std::string wanted = arguments.positional.size() > 1 ? arguments.positional[1] : "";
  if (!wanted.empty() && wanted.find('/') == std::string::npos) wanted += "/tcp";
  std::vector<std::string> lines;
  bool found = false;
  for (const auto& item : object_at(details, "NetworkSettings.Ports")) {
    std::string port(item.key());
    if (!wanted.empty() && port != wanted) continue;
    const auto* bindings = item.value().if_array();
    if (!bindings) continue;
    for (const auto& binding : *bindings) {
      found = true;
      std::string ip = text_at(binding, "HostIp");
      if (ip.find(':') != std::string::npos) ip = "[" + ip + "]";
      std::string address = ip + ":" + text_at(binding, "HostPort");
      lines.push_back(wanted.empty() ? port + " -> " + address : address);
    }
  }
  if (!wanted.empty() && !found) {
    return fail(Code::NotFound, "Error: No public port '{}' published for {}", arguments.positional[1], name);
  }
  std::ranges::sort(lines);
  for (const std::string& line : lines) print_out(line + "\n");
  return 0;
}

Result<int> show_changes(App& app, const Arguments& arguments) {
  auto answer = TRY(get_json(app, "/containers/" + segment(arguments.positional[0]) + "/changes"));
  std::string out;
  for (const auto& change : list_at(answer, "")) {
    static constexpr const char* kKinds[] = {"C", "A", "D"};
    int64_t kind = number_at(change, "Kind");
    out += fmt::format("{} {}\n", kind >= 0 && kind < 3 ? kKinds[kind] : "?", text_at(change, "Path"));
  }
  print_out(out);
  return 0;
}

Result<int> commit_container(App& app, const Arguments& arguments) {
  Query query("/commit");
  query.add("container", arguments.positional[0]);
  if (arguments.positional.size() > 1) {
    ImageName image = TRY(parse_image_name(arguments.positional[1]));
    if (!image.digest.empty()) return fail(Code::InvalidArgument, "refusing to create a tag with a digest reference");
    query.add("repo", image.repository);
    if (!image.tag.empty()) query.add("tag", image.tag);
  }
  if (arguments.has("author")) query.add("author", arguments.get("author"));
  if (arguments.has("message")) query.add("comment", arguments.get("message"));
  if (!arguments.flag("pause") || arguments.flag("no-pause")) query.add("pause", "0");
  for (const std::string& change : arguments.all("change")) query.add("changes", change);
  auto answer = TRY(post_json(app, query.str(), json::object()));
  print_out(text_at(answer, "Id") + "\n");
  return 0;
}

Result<int> export_container(App& app, const Arguments& arguments) {
  return save_stream(app, "/containers/" + segment(arguments.positional[0]) + "/export", arguments.get("output"));
}

}  // namespace sampan::cli
