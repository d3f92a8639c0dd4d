#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "cli/format/table.h"
#include "cli/values/body.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr Column kColumns[] = {
    {"Name", "VOLUME NAME"}, {"Driver", "DRIVER"}, {"Scope", "SCOPE"}, {"Mountpoint", "MOUNTPOINT"},
    {"Labels", "LABELS"},    {"Links", "LINKS"},   {"Size", "SIZE"},   {"Availability", "AVAILABILITY"},
    {"Group", "GROUP"},      {"Status", "STATUS"}};
constexpr TableShape kShape{kColumns, "{{.Driver}}\t{{.Name}}", "{{.Name}}"};

json::value row_of(const json::value& volume) {
  bool measured = member_at(volume, "UsageData").is_object();
  return json::object{{"Availability", "N/A"},
                      {"Driver", text_at(volume, "Driver")},
                      {"Group", "N/A"},
                      {"Labels", labels_text(member_at(volume, "Labels"))},
                      {"Links", measured ? std::to_string(number_at(volume, "UsageData.RefCount")) : "N/A"},
                      {"Mountpoint", text_at(volume, "Mountpoint")},
                      {"Name", text_at(volume, "Name")},
                      {"Scope", text_at(volume, "Scope")},
                      {"Size", measured ? human_size(static_cast<double>(number_at(volume, "UsageData.Size"))) : "N/A"},
                      {"Status", "N/A"}};
}

}  // namespace

Result<int> list_volumes(App& app, const Arguments& arguments) {
  std::string format = arguments.get("format");
  bool quiet = arguments.flag("quiet");
  if (format.empty() && !quiet) format = app.config.text("volumesFormat");
  auto printer = TRY(TablePrinter::make(kShape, format, quiet));
  Query query("/volumes");
  TRY(add_query(arguments, query));
  auto answer = TRY(get_json(app, query.str()));
  std::vector<json::value> rows;
  for (const auto& volume : list_at(answer, "Volumes")) rows.push_back(row_of(volume));
  std::ranges::sort(rows, {}, [](const json::value& row) { return text_at(row, "Name"); });
  print_out(TRY(printer.format(rows)));
  return 0;
}

Result<int> create_volume(App& app, const Arguments& arguments) {
  json::object body{{"Driver", arguments.get("driver")}};
  TRY(fill_body(arguments, body));
  if (!arguments.positional.empty()) {
    if (arguments.has("name")) {
      return fail(Code::InvalidArgument,
                  "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
    }
    body["Name"] = arguments.positional[0];
  }
  auto answer = TRY(post_json(app, "/volumes/create", body));
  print_out(text_at(answer, "Name") + "\n");
  return 0;
}

Result<int> remove_volumes(App& app, const Arguments& arguments) {
  return for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    Query query("/volumes/" + segment(name));
    TRY(add_query(arguments, query));
    TRY(request(app, "DELETE", query.str()));
    return name;
  });
}

}  // namespace sampan::cli
