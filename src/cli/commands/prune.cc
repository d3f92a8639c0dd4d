// container, image, network, volume, builder and system prune.
#include "base/strings.h"
#include "cli/app.h"
#include "cli/commands/commands.h"
#include "cli/commands/rows.h"
#include "cli/format/human.h"
#include "codec/json.h"

namespace sampan::cli {

namespace json = boost::json;

namespace {

constexpr Option kFilter{"filter", 0, Kind::Filter, "query:filters", ""};

// What one prune removed: its report, and the room it made.
struct Pruned {
  std::string report;
  int64_t bytes = 0;
};

Result<json::value> ask_prune(App& app, const Arguments& arguments, const std::string& path,
                              const std::vector<std::string>& more_filters = {}) {
  Arguments asked = arguments;
  for (const std::string& filter : more_filters) asked.given.emplace_back(&kFilter, filter);
  Query query(path);
  TRY(add_query(asked, query));
  auto response = TRY(post(app, query.str()));
  return codec::parse_json(response.body);
}

std::string listed(const char* title, const json::array& names) {
  if (names.empty()) return {};
  std::string out = std::string(title) + ":\n";
  for (const auto& name : names) out += std::string(name.as_string()) + "\n";
  return out + "\n";
}

Result<Pruned> prune_containers_now(App& app, const Arguments& arguments) {
  auto answer = TRY(ask_prune(app, arguments, "/containers/prune"));
  return Pruned{listed("Deleted Containers", list_at(answer, "ContainersDeleted")),
                number_at(answer, "SpaceReclaimed")};
}

Result<Pruned> prune_networks_now(App& app, const Arguments& arguments) {
  auto answer = TRY(ask_prune(app, arguments, "/networks/prune"));
  return Pruned{listed("Deleted Networks", list_at(answer, "NetworksDeleted")), 0};
}

Result<Pruned> prune_volumes_now(App& app, const Arguments& arguments, bool all) {
  std::vector<std::string> filters;
  if (all) filters.push_back("all=true");
  auto answer = TRY(ask_prune(app, arguments, "/volumes/prune", filters));
  return Pruned{listed("Deleted Volumes", list_at(answer, "VolumesDeleted")), number_at(answer, "SpaceReclaimed")};
}

Result<Pruned> prune_images_now(App& app, const Arguments& arguments) {
  std::string dangling = arguments.flag("all") ? "dangling=false" : "dangling=true";
  auto answer = TRY(ask_prune(app, arguments, "/images/prune", {dangling}));
  Pruned out{"", number_at(answer, "SpaceReclaimed")};
  for (const auto& image : list_at(answer, "ImagesDeleted")) {
    std::string untagged = text_at(image, "Untagged");
    out.report += untagged.empty() ? "deleted: " + text_at(image, "Deleted") + "\n" : "untagged: " + untagged + "\n";
  }
  if (!out.report.empty()) out.report = "Deleted Images:\n" + out.report + "\n";
  return out;
}

Result<Pruned> prune_builds_now(App& app, const Arguments& arguments) {
  auto answer = TRY(ask_prune(app, arguments, "/build/prune"));
  return Pruned{listed("Deleted build cache objects", list_at(answer, "CachesDeleted")),
                number_at(answer, "SpaceReclaimed")};
}

bool may_go_on(const Arguments& arguments, std::string_view warning) {
  if (arguments.flag("force")) return true;
  return confirm(fmt::format("WARNING! {}\nAre you sure you want to continue?", warning));
}

int report(const Pruned& pruned) {
  print_out(pruned.report);
  print_out(fmt::format("Total reclaimed space: {}\n", human_size(static_cast<double>(pruned.bytes))));
  return 0;
}

}  // namespace

Result<int> prune_containers(App& app, const Arguments& arguments) {
  if (!may_go_on(arguments, "This will remove all stopped containers."))
    return fail(Code::Cancelled, "container prune has been cancelled");
  return report(TRY(prune_containers_now(app, arguments)));
}

Result<int> prune_images(App& app, const Arguments& arguments) {
  const char* warning = arguments.flag("all")
                            ? "This will remove all images without at least one container associated to them."
                            : "This will remove all dangling images.";
  if (!may_go_on(arguments, warning)) return fail(Code::Cancelled, "image prune has been cancelled");
  return report(TRY(prune_images_now(app, arguments)));
}

Result<int> prune_networks(App& app, const Arguments& arguments) {
  if (!may_go_on(arguments, "This will remove all custom networks not used by at least one container.")) {
    return fail(Code::Cancelled, "network prune has been cancelled");
  }
  print_out(TRY(prune_networks_now(app, arguments)).report);
  return 0;
}

Result<int> prune_volumes(App& app, const Arguments& arguments) {
  bool all = arguments.flag("all");
  const char* warning = all ? "This will remove all local volumes not used by at least one container."
                            : "This will remove anonymous local volumes not used by at least one container.";
  if (!may_go_on(arguments, warning)) return fail(Code::Cancelled, "volume prune has been cancelled");
  return report(TRY(prune_volumes_now(app, arguments, all)));
}

Result<int> prune_build_cache(App& app, const Arguments& arguments) {
  const char* warning =
      arguments.flag("all") ? "This will remove all build cache." : "This will remove all dangling build cache.";
  if (!may_go_on(arguments, warning)) return fail(Code::Cancelled, "builder prune has been cancelled");
  auto pruned = TRY(prune_builds_now(app, arguments));
  print_out(pruned.report);
  print_out(fmt::format("Total:\t{}\n", human_size(static_cast<double>(pruned.bytes))));
  return 0;
}

Result<int> prune_system(App& app, const Arguments& arguments) {
  bool volumes = arguments.flag("volumes"), all = arguments.flag("all");
  std::string warning =
      "This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n";
  if (volumes) warning += "  - all anonymous volumes not used by at least one container\n";
  warning += all ? "  - all images without at least one container associated to them\n  - all build cache\n"
                 : "  - all dangling images\n  - unused build cache\n";
  if (!may_go_on(arguments, warning)) return fail(Code::Cancelled, "system prune has been cancelled");
  // Containers first: they hold the networks, the volumes and the images.
  Pruned total = TRY(prune_containers_now(app, arguments));
  auto add = [&](Pruned more) {
    total.report += more.report;
    total.bytes += more.bytes;
  };
  add(TRY(prune_networks_now(app, arguments)));
  if (volumes) add(TRY(prune_volumes_now(app, arguments, false)));
  add(TRY(prune_images_now(app, arguments)));
  Arguments for_builds = arguments;
  static constexpr Option kAll{"all", 0, Kind::Flag, "query:all", ""};
  if (all) for_builds.given.emplace_back(&kAll, "true");
  auto builds = prune_builds_now(app, for_builds);
  if (builds) {
    add(std::move(*builds));
  } else if (builds.error().code() != Code::NotFound && builds.error().code() != Code::NotImplemented) {
    return std::move(builds).error();
  }
  return report(total);
}

}  // namespace sampan::cli
