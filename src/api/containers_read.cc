#include <chrono>
#include <map>

#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/human.h"
#include "api/internal/json_container.h"

namespace sampan::api {
namespace {

constexpr std::string_view kFilters[] = {"ancestor",  "before",  "since",   "exited",  "id",
                                         "isolation", "label",   "name",    "status",  "health",
                                         "volume",    "network", "is-task", "publish", "expose"};

int64_t now_unix() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Names that now mean another image are shown as the id that the container really has.
class ImageNames {
 public:
  explicit ImageNames(image::Images& images) : images_(images) {}
  std::string shown(const container::ContainerRecord& record) {
    const std::string& name = record.config.image;
    if (name.empty() || name == record.image_id) return record.image_id;
    auto [entry, fresh] = ids_.try_emplace(name);
    if (fresh) {
      auto found = images_.get(name);
      if (found) entry->second = found->id;
    }
    return entry->second == record.image_id ? name : record.image_id;
  }

 private:
  image::Images& images_;
  std::map<std::string, std::string> ids_;
};

InspectFacts inspect_facts(Call& call, const container::ContainerRecord& record) {
  InspectFacts out;
  out.exec_ids = call.engine().execs_of(record.id);
  auto& snapshots = call.engine().snapshots();
  SnapshotKey key(record.id);
  out.upper_dir = snapshots.diff_dir(key);
  if (out.upper_dir.ends_with("/diff")) out.work_dir = out.upper_dir.substr(0, out.upper_dir.size() - 4) + "work";
  // What the container sees: its mount is in its own namespace and has no other path on the host.
  out.merged_dir = record.state.pid > 0 ? fmt::format("/proc/{}/root", record.state.pid)
                                        : out.work_dir.substr(0, out.work_dir.rfind('/') + 1) + "merged";
  if (auto lower = snapshots.parent_diffs(key)) out.lower_dirs = std::move(*lower);
  return out;
}

/// One row of the list; without sizes, which are measured each time, it is written only when it has changed.
void append_row(std::string& body, Call& call, const container::ContainerSnapshot& record, const RowFacts& facts) {
  auto write = [&] { return codec::format_json(format_row(*record, facts, call.version)); };
  if (facts.sizes) {
    body += write();
    return;
  }
  RowKey key{call.version.minor, facts.image, format_status(record->state, facts.now_unix)};
  if (call.services.rows.append_row(body, record, key)) return;
  auto row = write();
  body += row;
  call.services.rows.keep(record, std::move(key), std::move(row));
}

}  // namespace

Result<http::Response> list_containers(Call& call) {
  engine::ListOptions options;
  options.all = call.flag("all");
  options.limit = TRY(call.number("limit", 0));
  options.filters = TRY(parse_filters(call, kFilters));
  if (options.limit > 0) options.all = true;
  auto found = TRY(call.engine().list_containers(options));
  ImageNames names(call.engine().images());
  RowFacts facts;
  facts.now_unix = now_unix();
  // Row by row: a thousand of them as one value would be most of the daemon's memory and of the time.
  bool with_sizes = call.flag("size");
  std::string body = "[";
  for (const auto& record : found) {
    facts.image = names.shown(*record);
    facts.sizes.reset();
    if (with_sizes) {
      auto sizes = call.engine().container_size(record->id);
      if (sizes) facts.sizes = *sizes;  // a container that goes while it is measured is shown without
    }
    if (body.size() > 1) body += ',';
    append_row(body, call, record, facts);
  }
  return http::Response{200, {{"Content-Type", "application/json"}}, body + "]\n"};
}

Result<http::Response> inspect_container(Call& call) {
  auto record = TRY(call.engine().get_container(call.name));
  InspectFacts facts = inspect_facts(call, *record);
  if (call.flag("size")) facts.sizes = TRY(call.engine().container_size(record->id));
  return json_answer(200, format_inspect(*record, facts, call.version));
}

Result<http::Response> top_container(Call& call) {
  auto top = TRY(call.engine().top_container(call.name, call.get("ps_args", "-ef")));
  return json_answer(
      200, json::object{{"Titles", codec::write_json(top.titles)}, {"Processes", codec::write_json(top.processes)}});
}

Result<http::Response> container_changes(Call& call) {
  auto changes = TRY(call.engine().container_changes(call.name));
  json::array out;
  for (const auto& change : changes) {
    out.push_back(json::object{{"Path", json::string(change.path)}, {"Kind", static_cast<int>(change.kind)}});
  }
  return json_answer(200, out.empty() ? json::value(nullptr) : json::value(std::move(out)));
}

}  // namespace sampan::api
