// images, history, tag, rmi, search.
#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "cli/format/table.h"
#include "cli/values/reference.h"
#include "codec/json.h"
#include "codec/text.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr Column kColumns[] = {{"ID", "IMAGE ID"},
                               {"Repository", "REPOSITORY"},
                               {"Tag", "TAG"},
                               {"Digest", "DIGEST"},
                               {"CreatedSince", "CREATED"},
                               {"CreatedAt", "CREATED AT"},
                               {"Size", "SIZE"},
                               {"Containers", "CONTAINERS"},
                               {"SharedSize", "SHARED SIZE"},
                               {"UniqueSize", "UNIQUE SIZE"},
                               {"VirtualSize", "SIZE"}};
constexpr TableShape kShape{kColumns, "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"};
constexpr TableShape kDigestShape{kColumns,
                                  "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"};

struct Names {
  std::string repository = "<none>", tag = "<none>", digest = "<none>";
};

// "repo:tag" and "repo@sha256:..." lists to one line per name.
std::vector<Names> names_of(const json::value& image, bool with_digests) {
  std::vector<Names> out;
  std::map<std::string, std::string> digests;
  for (const auto& item : list_at(image, "RepoDigests")) {
    std::string text(item.as_string());
    size_t at = text.find('@');
    if (at != std::string::npos) digests[text.substr(0, at)] = text.substr(at + 1);
  }
  for (const auto& item : list_at(image, "RepoTags")) {
    std::string text(item.as_string());
    size_t colon = text.rfind(':');
    if (text == "<none>:<none>" || colon == std::string::npos) continue;
    Names names{text.substr(0, colon), text.substr(colon + 1), "<none>"};
    if (with_digests && digests.contains(names.repository)) names.digest = digests[names.repository];
    out.push_back(names);
  }
  if (!out.empty()) return out;
  for (const auto& [repository, digest] : digests) out.push_back({repository, "<none>", digest});
  if (out.empty()) out.push_back({});
  return out;
}

std::string size_or_na(int64_t bytes) {
  return bytes < 0 ? "N/A" : human_size(static_cast<double>(bytes), 3);
}

json::value row_of(const json::value& image, const Names& names, bool full) {
  std::string id = text_at(image, "Id");
  int64_t created = number_at(image, "Created");
  int64_t containers = number_at(image, "Containers");
  int64_t size = number_at(image, "Size");
  bool shared_known = member_at(image, "SharedSize").is_number() && number_at(image, "SharedSize") >= 0;
  int64_t shared = number_at(image, "SharedSize");
  return json::object{
      {"Containers", containers < 0 ? "N/A" : std::to_string(containers)},
      {"CreatedAt", local_time(created)},
      {"CreatedSince", human_duration(now_nanos() - created * 1'000'000'000) + " ago"},
      {"Digest", names.digest},
      {"ID", full ? id : short_id(id)},
      {"Repository", names.repository},
      {"SharedSize", shared_known ? size_or_na(shared) : "N/A"},
      {"Size", human_size(static_cast<double>(size), 3)},
      {"Tag", names.tag},
      {"UniqueSize", shared_known ? size_or_na(size - shared) : "N/A"},
      {"VirtualSize", human_size(static_cast<double>(size))},
  };
}

constexpr Column kHistoryColumns[] = {
    {"ID", "IMAGE"},  {"CreatedSince", "CREATED"}, {"CreatedAt", "CREATED AT"}, {"CreatedBy", "CREATED BY"},
    {"Size", "SIZE"}, {"Comment", "COMMENT"}};
constexpr TableShape kHistory{kHistoryColumns, "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"};
constexpr TableShape kHistoryExact{kHistoryColumns, "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"};

json::value history_row(const json::value& entry, bool human, bool full) {
  std::string id = text_at(entry, "Id");
  int64_t created = number_at(entry, "Created");
  std::string by = text_at(entry, "CreatedBy");
  std::ranges::replace(by, '\t', ' ');
  int64_t size = number_at(entry, "Size");
  bool known = created > -62135596800;  // Go's zero time means that the image does not say
  return json::object{
      {"Comment", text_at(entry, "Comment")},
      {"CreatedAt", known ? codec::format_rfc3339({created * 1'000'000'000}) : "N/A"},
      {"CreatedBy", full ? by : ellipsis(by, 45)},
      {"CreatedSince", known ? human_duration(now_nanos() - created * 1'000'000'000) + " ago" : "N/A"},
      {"ID", full ? id : short_id(id)},
      {"Size", human ? human_size(static_cast<double>(size), 3) : std::to_string(size)},
  };
}

}  // namespace

Result<int> list_images(App& app, const Arguments& arguments) {
  std::string format = arguments.get("format");
  bool quiet = arguments.flag("quiet"), digests = arguments.flag("digests");
  if (format.empty() && !quiet) format = app.config.text("imagesFormat");
  auto printer = TRY(TablePrinter::make(digests ? kDigestShape : kShape, format, quiet));
  Arguments asked = arguments;
  static constexpr Option kReference{"filter", 0, Kind::Filter, "query:filters", ""};
  if (!arguments.positional.empty()) asked.given.emplace_back(&kReference, "reference=" + arguments.positional[0]);
  Query query("/images/json");
  TRY(add_query(asked, query));
  auto images = TRY(get_json(app, query.str()));
  std::vector<json::value> rows;
  bool name_matters = printer.mentions(".Repository") || printer.mentions(".Tag");
  for (const auto& image : list_at(images, "")) {
    for (const Names& names : names_of(image, digests || printer.mentions(".Digest"))) {
      rows.push_back(row_of(image, names, arguments.flag("no-trunc")));
      if (quiet && !name_matters) break;
    }
  }
  print_out(TRY(printer.format(rows)));
  return 0;
}

Result<int> show_history(App& app, const Arguments& arguments) {
  bool human = arguments.flag("human");
  auto printer =
      TRY(TablePrinter::make(human ? kHistory : kHistoryExact, arguments.get("format"), arguments.flag("quiet")));
  Query query("/images/" + segment(arguments.positional[0]) + "/history");
  TRY(add_query(arguments, query));
  auto history = TRY(get_json(app, query.str()));
  std::vector<json::value> rows;
  for (const auto& entry : list_at(history, "")) rows.push_back(history_row(entry, human, arguments.flag("no-trunc")));
  print_out(TRY(printer.format(rows)));
  return 0;
}

Result<int> tag_image(App& app, const Arguments& arguments) {
  ImageName image = TRY_CONTEXT(
      parse_image_name(arguments.positional[1]),
      fmt::format("Error parsing reference: \"{}\" is not a valid repository/tag", arguments.positional[1]));
  if (!image.digest.empty()) return fail(Code::InvalidArgument, "refusing to create a tag with a digest reference");
  Query query("/images/" + segment(arguments.positional[0]) + "/tag");
  query.add("repo", image.repository).add("tag", image.tag.empty() ? "latest" : image.tag);
  TRY(post(app, query.str()));
  return 0;
}

Result<int> remove_images(App& app, const Arguments& arguments) {
  bool forced = arguments.flag("force");
  return for_each_name(arguments.positional, [&](const std::string& name) -> Result<std::string> {
    Query query("/images/" + segment(name));
    TRY(add_query(arguments, query));
    auto response = request(app, "DELETE", query.str());
    if (!response && forced && response.error().code() == Code::NotFound) {
      print_err(response.error().message() + "\n");
      return std::string();
    }
    if (!response) return std::move(response).error();
    auto removed = TRY(codec::parse_json(response->body));
    std::string out;
    for (const auto& item : list_at(removed, "")) {
      if (!out.empty()) out += '\n';
      std::string deleted = text_at(item, "Deleted");
      out += deleted.empty() ? "Untagged: " + text_at(item, "Untagged") : "Deleted: " + deleted;
    }
    return out;
  });
}

Result<int> search_images(App& app, const Arguments& arguments) {
  return fail(Code::NotImplemented,
              "search is not supported: registries have no common way to search; give the image's full name to pull");
}

}  // namespace sampan::cli
