// ps.
#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/ports_text.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "cli/format/table.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr Column kColumns[] = {{"ID", "CONTAINER ID"},      {"Names", "NAMES"},
                               {"Image", "IMAGE"},          {"Command", "COMMAND"},
                               {"CreatedAt", "CREATED AT"}, {"RunningFor", "CREATED"},
                               {"Ports", "PORTS"},          {"State", "STATE"},
                               {"Status", "STATUS"},        {"Size", "SIZE"},
                               {"Labels", "LABELS"},        {"Mounts", "MOUNTS"},
                               {"Networks", "NETWORKS"},    {"LocalVolumes", "LOCAL VOLUMES"},
                               {"Platform", "PLATFORM"},    {"HealthStatus", "HEALTH"}};
constexpr TableShape kShape{kColumns,
                            "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"};
constexpr TableShape kShapeWithSize{
    kColumns, "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}"};

std::string names_of(const json::value& container, bool full) {
  std::vector<std::string> names;
  for (const auto& name : list_at(container, "Names")) {
    if (!name.is_string()) continue;
    std::string text(name.get_string());
    if (text.starts_with('/')) text.erase(0, 1);
    // "other/alias" is a link's name, not this container's own.
    if (full || text.find('/') == std::string::npos) names.push_back(text);
  }
  return join(names, ",");
}

std::string image_of(const json::value& container, bool full) {
  std::string image = text_at(container, "Image");
  if (image.empty()) return "<no image>";
  std::string id = text_at(container, "ImageID");
  if (!full && short_id(image) == short_id(id) && !id.empty()) return short_id(id);
  if (!full && image.find('@') != std::string::npos) return image.substr(0, image.find('@'));
  return image;
}

std::string mounts_of(const json::value& container, bool full) {
  std::vector<std::string> out;
  for (const auto& mount : list_at(container, "Mounts")) {
    std::string name = text_at(mount, "Name");
    if (name.empty()) name = text_at(mount, "Source");
    out.push_back(full ? name : ellipsis(name, 15));
  }
  return join(out, ",");
}

json::value row_of(const json::value& container, bool full) {
  std::string command = text_at(container, "Command");
  std::vector<std::string> networks;
  for (const auto& item : object_at(container, "NetworkSettings.Networks")) networks.emplace_back(item.key());
  int64_t created = number_at(container, "Created");
  std::string size = human_size(static_cast<double>(number_at(container, "SizeRw")), 3);
  if (int64_t root = number_at(container, "SizeRootFs"); root > 0) {
    size += " (virtual " + human_size(static_cast<double>(root), 3) + ")";
  }
  std::string id = text_at(container, "Id");
  int64_t volumes = std::ranges::count_if(list_at(container, "Mounts"),
                                          [](const auto& mount) { return text_at(mount, "Driver") == "local"; });
  return json::object{
      {"Command", codec::format_json(json::string(full ? command : ellipsis(command, 20)))},
      {"CreatedAt", local_time(created)},
      {"HealthStatus", text_at(container, "Health.Status")},
      {"ID", full ? id : short_id(id)},
      {"Image", image_of(container, full)},
      {"Labels", labels_text(member_at(container, "Labels"))},
      {"LocalVolumes", std::to_string(volumes)},
      {"Mounts", mounts_of(container, full)},
      {"Names", names_of(container, full)},
      {"Networks", join(networks, ",")},
      {"Platform", nullptr},
      {"Ports", ports_text(list_at(container, "Ports"))},
      {"RunningFor", human_duration(now_nanos() - created * 1'000'000'000) + " ago"},
      {"Size", size},
      {"State", text_at(container, "State")},
      {"Status", text_at(container, "Status")},
  };
}

}  // namespace

Result<int> list_containers(App& app, const Arguments& arguments) {
  std::string format = arguments.get("format");
  bool quiet = arguments.flag("quiet");
  if (format.empty() && !quiet) format = app.config.text("psFormat");
  auto printer = TRY(TablePrinter::make(arguments.flag("size") ? kShapeWithSize : kShape, format, quiet));
  Query query("/containers/json");
  TRY(add_query(arguments, query));
  if (arguments.flag("latest") && !arguments.has("last")) query.add("limit", "1");
  if (!arguments.has("size") && !quiet && printer.mentions(".Size")) query.add("size", "1");
  auto containers = TRY(get_json(app, query.str()));
  std::vector<json::value> rows;
  for (const auto& container : list_at(containers, "")) rows.push_back(row_of(container, arguments.flag("no-trunc")));
  printer.set_method(
      [&](const json::value& row, std::string_view name, const auto& args) -> std::optional<json::value> {
        if (name != "Label" || args.size() != 1 || !args[0].is_string()) return std::nullopt;
        auto index = static_cast<size_t>(&row - rows.data());
        return json::string(text_at(member_at(list_at(containers, "")[index], "Labels"), args[0].get_string()));
      });
  print_out(TRY(printer.format(rows)));
  return 0;
}

}  // namespace sampan::cli
