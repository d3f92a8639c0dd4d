#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "cli/format/template.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

enum class Show { Text, Number, Bytes, Flag, List };

// One line of `info`: label, member, how it is written. An empty member is a headline.
struct InfoLine {
  std::string_view label;
  std::string_view member;
  Show show = Show::Text;
  int indent = 1;
};

constexpr InfoLine kLines[] = {
    {"Containers", "Containers", Show::Number},
    {"Running", "ContainersRunning", Show::Number, 2},
    {"Paused", "ContainersPaused", Show::Number, 2},
    {"Stopped", "ContainersStopped", Show::Number, 2},
    {"Images", "Images", Show::Number},
    {"Server Version", "ServerVersion"},
    {"Storage Driver", "Driver"},
    {"Logging Driver", "LoggingDriver"},
    {"Cgroup Driver", "CgroupDriver"},
    {"Cgroup Version", "CgroupVersion"},
    {"Plugins", ""},
    {"Volume", "Plugins.Volume", Show::List, 2},
    {"Network", "Plugins.Network", Show::List, 2},
    {"Log", "Plugins.Log", Show::List, 2},
    {"Swarm", "Swarm.LocalNodeState"},
    {"Default Runtime", "DefaultRuntime"},
    {"Init Binary", "InitBinary"},
    {"containerd version", "ContainerdCommit.ID"},
    {"runc version", "RuncCommit.ID"},
    {"init version", "InitCommit.ID"},
    {"Security Options", "SecurityOptions", Show::List},
    {"Kernel Version", "KernelVersion"},
    {"Operating System", "OperatingSystem"},
    {"OSType", "OSType"},
    {"Architecture", "Architecture"},
    {"CPUs", "NCPU", Show::Number},
    {"Total Memory", "MemTotal", Show::Bytes},
    {"Name", "Name"},
    {"ID", "ID"},
    {"Docker Root Dir", "DockerRootDir"},
    {"Debug Mode", "Debug", Show::Flag},
    {"HTTP Proxy", "HttpProxy"},
    {"HTTPS Proxy", "HttpsProxy"},
    {"No Proxy", "NoProxy"},
    {"Labels", "Labels", Show::List},
    {"Experimental", "ExperimentalBuild", Show::Flag},
    {"Live Restore Enabled", "LiveRestoreEnabled", Show::Flag},
};

std::string words(const json::array& list) {
  std::vector<std::string> out;
  for (const auto& item : list)
    out.push_back(item.is_string() ? std::string(item.get_string()) : codec::format_json(item));
  return join(out, " ");
}

std::string info_text(const json::value& info) {
  std::string out;
  for (const InfoLine& line : kLines) {
    std::string value;
    switch (line.show) {
      case Show::Text:
        value = text_at(info, line.member);
        break;
      case Show::Number:
        value = std::to_string(number_at(info, line.member));
        break;
      case Show::Bytes:
        value = human_bytes(static_cast<double>(number_at(info, line.member)));
        break;
      case Show::Flag:
        value = flag_at(info, line.member) ? "true" : "false";
        break;
      case Show::List:
        value = words(list_at(info, line.member));
        break;
    }
    if (value.empty() && !line.member.empty()) continue;
    out += fmt::format("{}{}:{}{}\n", std::string(static_cast<size_t>(line.indent), ' '), line.label,
                       value.empty() ? "" : " ", value);
    if (line.member == "Driver") {
      for (const auto& pair : list_at(info, "DriverStatus")) {
        if (pair.is_array() && pair.get_array().size() == 2) {
          out += fmt::format("  {}: {}\n", std::string(pair.get_array()[0].as_string()),
                             std::string(pair.get_array()[1].as_string()));
        }
      }
    }
  }
  return out;
}

}  // namespace

Result<int> show_info(App& app, const Arguments& arguments) {
  auto info = get_json(app, "/info");
  std::string format = arguments.get("format");
  if (!info) {
    // What the client knows of itself is shown also when there is no daemon.
    if (format.empty())
      print_out(fmt::format("Client: Sampan\n Version:    {}\n Context:    default\n\nServer:\n", SAMPAN_VERSION));
    if (info.error().code() == Code::Unavailable || info.error().code() == Code::PermissionDenied) {
      print_err((format.empty() ? "ERROR: " : "") + info.error().message() + "\n" +
                (format.empty() ? "errors pretty printing info\n" : ""));
      return 1;
    }
    return std::move(info).error();
  }
  if (format == "json") {
    print_out(codec::format_json(*info) + "\n");
    return 0;
  }
  if (!format.empty()) {
    print_out(TRY(TRY(Template::parse(format)).run(*info)) + "\n");
    return 0;
  }
  print_out(fmt::format("Client: Sampan\n Version:    {}\n Context:    default\n Debug Mode: {}\n\nServer:\n",
                        SAMPAN_VERSION, app.debug ? "true" : "false"));
  print_out(info_text(*info));
  for (const auto& warning : list_at(*info, "Warnings")) print_err(std::string(warning.as_string()) + "\n");
  return 0;
}

}  // namespace sampan::cli
