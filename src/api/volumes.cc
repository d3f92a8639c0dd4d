#include <algorithm>
#include <chrono>

#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/json_volume.h"
#include "api/internal/prune.h"
#include "sys/file.h"

namespace sampan::api {
namespace {

using volume::VolumeRecord;

constexpr std::string_view kFilters[] = {"dangling", "driver", "label", "name"};
constexpr std::string_view kPruneFilters[] = {"all", "label", "label!"};

struct CreateBody {
  std::string name, driver;
  std::map<std::string, std::string> driver_opts, labels;
  json::value cluster_volume_spec;
};
BOOST_DESCRIBE_STRUCT(CreateBody, (), (name, driver, driver_opts, labels, cluster_volume_spec))

void note_created(Call& call, const VolumeRecord& record) {
  engine::Event event;
  event.type = "volume";
  event.action = "create";
  event.actor_id = record.name;
  event.attributes["driver"] = record.driver;
  auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
  event.time.unix_nanos = now.count();
  (void)call.engine().events().append(std::move(event));  // the volume is there; a full disk shows at the next write
}

Result<bool> keep(Call& call, const Filters& filters, const VolumeRecord& record) {
  const auto& drivers = filter_values(filters, "driver");
  const auto& names = filter_values(filters, "name");
  if (!drivers.empty() && std::ranges::find(drivers, record.driver) == drivers.end()) return false;
  if (!names.empty() &&
      std::ranges::none_of(names, [&](const auto& name) { return record.name.find(name) != std::string::npos; })) {
    return false;
  }
  if (!match_labels(filter_values(filters, "label"), record.labels)) return false;
  auto dangling = TRY(find_bool_filter(filters, "dangling"));
  return !dangling || *dangling == call.engine().users_of_volume(record.name).empty();
}

}  // namespace

VolumeUsage measure_volume(const VolumeRecord& volume, int64_t references) {
  auto usage = sys::disk_usage(volume.mountpoint);
  return {usage ? static_cast<int64_t>(usage->bytes) : -1, references};
}

json::object format_volume(const VolumeRecord& volume, const std::optional<VolumeUsage>& usage) {
  json::object out;
  out["CreatedAt"] = volume.created;
  out["Driver"] = volume.driver;
  out["Labels"] = null_if_empty(volume.labels);
  out["Mountpoint"] = volume.mountpoint;
  out["Name"] = volume.name;
  out["Options"] = null_if_empty(volume.options);
  out["Scope"] = "local";
  if (usage) out["UsageData"] = json::object{{"Size", usage->size}, {"RefCount", usage->references}};
  return out;
}

Result<http::Response> list_volumes(Call& call) {
  auto filters = TRY(parse_filters(call, kFilters));
  json::array out;
  for (const auto& record : TRY(call.engine().volumes().list())) {
    if (TRY(keep(call, filters, record))) out.push_back(format_volume(record));
  }
  return json_answer(200, json::object{{"Volumes", std::move(out)}, {"Warnings", nullptr}});
}

Result<http::Response> inspect_volume(Call& call) {
  return json_answer(200, format_volume(TRY(call.engine().volumes().get(call.name))));
}

Result<http::Response> create_volume(Call& call) {
  auto body = TRY(codec::from_json<CreateBody>(call.body.empty() ? "{}" : call.body));
  if (!body.cluster_volume_spec.is_null())
    return fail(Code::NotImplemented, "cluster volumes (ClusterVolumeSpec) are not implemented");
  auto& volumes = call.engine().volumes();
  bool existed = !body.name.empty() && volumes.get(body.name).has_value();
  auto record =
      TRY(volumes.create(body.name, body.driver.empty() ? "local" : body.driver, body.labels, body.driver_opts));
  if (!existed) note_created(call, record);
  return json_answer(201, format_volume(record));
}

Result<http::Response> remove_volume(Call& call) {
  TRY(call.engine().remove_volume(call.name, call.flag("force")));
  return empty_answer(204);
}

Result<http::Response> prune_volumes(Call& call) {
  auto filters = TRY(parse_filters(call, kPruneFilters));
  // Before 1.42 there was no difference between anonymous and named volumes here.
  if (call.version < Version{1, 42}) filters["all"] = {"true"};
  auto guard = TRY(PruneGuard::acquire(call.services, PruneKind::Volumes));
  auto pruned = TRY(call.engine().prune_volumes(filters));
  return json_answer(
      200, json::object{{"VolumesDeleted", null_if_empty(pruned.deleted)}, {"SpaceReclaimed", pruned.space_reclaimed}});
}

}  // namespace sampan::api
