// system df.
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "cli/format/table.h"
#include "codec/json.h"
#include "codec/text.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr Column kColumns[] = {
    {"Type", "TYPE"}, {"TotalCount", "TOTAL"}, {"Active", "ACTIVE"}, {"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"}};
constexpr TableShape kShape{kColumns, "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}"};

struct Usage {
  int64_t total = 0, active = 0, size = 0, reclaimable = 0;
};

Usage image_usage(const json::value& df) {
  Usage out;
  out.size = number_at(df, "LayersSize");
  int64_t used = 0;
  for (const auto& image : list_at(df, "Images")) {
    ++out.total;
    int64_t own = number_at(image, "Size") - std::max<int64_t>(number_at(image, "SharedSize"), 0);
    if (number_at(image, "Containers") > 0) {
      ++out.active;
      if (number_at(image, "Size") >= 0) used += own;
    }
  }
  out.reclaimable = std::max<int64_t>(out.size - used, 0);
  return out;
}

Usage container_usage(const json::value& df) {
  Usage out;
  for (const auto& container : list_at(df, "Containers")) {
    ++out.total;
    int64_t size = number_at(container, "SizeRw");
    std::string state = text_at(container, "State");
    bool active = state == "running" || state == "paused" || state == "restarting";
    out.active += active;
    out.size += size;
    if (!active) out.reclaimable += size;
  }
  return out;
}

Usage volume_usage(const json::value& df) {
  Usage out;
  for (const auto& volume : list_at(df, "Volumes")) {
    ++out.total;
    int64_t size = std::max<int64_t>(number_at(volume, "UsageData.Size"), 0);
    bool active = number_at(volume, "UsageData.RefCount") > 0;
    out.active += active;
    out.size += size;
    if (!active) out.reclaimable += size;
  }
  return out;
}

Usage cache_usage(const json::value& df) {
  Usage out;
  for (const auto& item : list_at(df, "BuildCache")) {
    ++out.total;
    int64_t size = number_at(item, "Size");
    bool active = flag_at(item, "InUse");
    out.active += active;
    if (!flag_at(item, "Shared")) out.size += size;
    if (!active && !flag_at(item, "Shared")) out.reclaimable += size;
  }
  return out;
}

json::value row_of(const char* type, const Usage& usage) {
  std::string reclaimable = human_size(static_cast<double>(usage.reclaimable));
  if (usage.size > 0) reclaimable += fmt::format(" ({}%)", usage.reclaimable * 100 / usage.size);
  return json::object{{"Active", std::to_string(usage.active)},
                      {"Reclaimable", reclaimable},
                      {"Size", human_size(static_cast<double>(usage.size))},
                      {"TotalCount", std::to_string(usage.total)},
                      {"Type", type}};
}

std::string since(int64_t seconds) {
  return human_duration(now_nanos() - seconds * 1'000'000'000) + " ago";
}

std::string size_text(int64_t bytes) {
  return human_size(static_cast<double>(std::max<int64_t>(bytes, 0)));
}

std::string verbose_images(const json::value& df) {
  std::string out = "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\tSHARED SIZE\tUNIQUE SIZE\tCONTAINERS\n";
  for (const auto& image : list_at(df, "Images")) {
    const auto& tags = list_at(image, "RepoTags");
    std::string name = tags.empty() ? "<none>:<none>" : std::string(tags[0].as_string());
    size_t colon = name.rfind(':');
    int64_t size = number_at(image, "Size"), shared = std::max<int64_t>(number_at(image, "SharedSize"), 0);
    out += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", name.substr(0, colon), name.substr(colon + 1),
                       short_id(text_at(image, "Id")), since(number_at(image, "Created")),
                       human_size(static_cast<double>(size), 3), size_text(shared), size_text(size - shared),
                       number_at(image, "Containers"));
  }
  return "Images space usage:\n\n" + align_columns(out);
}

int64_t local_volumes(const json::value& container) {
  return std::ranges::count_if(list_at(container, "Mounts"),
                               [](const auto& mount) { return text_at(mount, "Driver") == "local"; });
}

// "3 days ago", nothing for a time that never was.
std::string since_text(const std::string& rfc3339) {
  auto time = codec::parse_rfc3339(rfc3339);
  return time && !time->is_zero() ? human_duration(now_nanos() - time->unix_nanos) + " ago" : std::string();
}

std::string verbose_containers(const json::value& df) {
  std::string out = "CONTAINER ID\tIMAGE\tCOMMAND\tLOCAL VOLUMES\tSIZE\tCREATED\tSTATUS\tNAMES\n";
  for (const auto& container : list_at(df, "Containers")) {
    const auto& names = list_at(container, "Names");
    std::string name = names.empty() ? "" : std::string(names[0].as_string());
    out += fmt::format(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", short_id(text_at(container, "Id")), text_at(container, "Image"),
        codec::format_json(json::string(ellipsis(text_at(container, "Command"), 20))), local_volumes(container),
        size_text(number_at(container, "SizeRw")), since(number_at(container, "Created")), text_at(container, "Status"),
        name.starts_with('/') ? name.substr(1) : name);
  }
  return "\nContainers space usage:\n\n" + align_columns(out);
}

std::string verbose_rest(const json::value& df) {
  std::string volumes = "VOLUME NAME\tLINKS\tSIZE\n";
  for (const auto& volume : list_at(df, "Volumes")) {
    volumes += fmt::format("{}\t{}\t{}\n", text_at(volume, "Name"), number_at(volume, "UsageData.RefCount"),
                           size_text(number_at(volume, "UsageData.Size")));
  }
  std::string cache = "CACHE ID\tCACHE TYPE\tSIZE\tCREATED\tLAST USED\tUSAGE\tSHARED\n";
  for (const auto& item : list_at(df, "BuildCache")) {
    cache +=
        fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\n", ellipsis(text_at(item, "ID"), 12), text_at(item, "Type"),
                    size_text(number_at(item, "Size")), since_text(text_at(item, "CreatedAt")),
                    since_text(text_at(item, "LastUsedAt")), number_at(item, "UsageCount"), flag_at(item, "Shared"));
  }
  Usage total = cache_usage(df);
  return "\nLocal Volumes space usage:\n\n" + align_columns(volumes) +
         fmt::format("\nBuild cache usage: {}\n\n", size_text(total.size)) + align_columns(cache);
}

}  // namespace

Result<int> show_disk_usage(App& app, const Arguments& arguments) {
  std::string format = arguments.get("format");
  auto printer = TRY(TablePrinter::make(kShape, format, false));
  auto df = TRY(get_json(app, "/system/df"));
  if (arguments.flag("verbose") && format.empty()) {
    print_out(verbose_images(df) + verbose_containers(df) + verbose_rest(df));
    return 0;
  }
  print_out(TRY(printer.format({row_of("Images", image_usage(df)), row_of("Containers", container_usage(df)),
                                row_of("Local Volumes", volume_usage(df)), row_of("Build Cache", cache_usage(df))})));
  return 0;
}

}  // namespace sampan::cli
