#include <sys/utsname.h>

#include "api/internal/filters.h"
#include "api/internal/handlers.h"
#include "api/internal/json_answer.h"
#include "api/internal/json_container.h"
#include "api/internal/json_image.h"
#include "api/internal/json_volume.h"
#include "codec/text.h"
#include "engine/build_cache.h"
#include "oci/image.h"
#include "registry/registry.h"

namespace sampan::api {
namespace {

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

bool wants(const Call& call, std::string_view type) {
  auto types = call.request.all("type");
  if (types.empty() || call.version < Version{1, 42}) return true;
  return std::find(types.begin(), types.end(), type) != types.end();
}

Result<json::array> container_usage(Call& call) {
  engine::ListOptions options;
  options.all = true;
  json::array out;
  RowFacts facts;
  facts.now_unix =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (const auto& record : TRY(call.engine().list_containers(options))) {
    facts.image = record->config.image;
    auto sizes = call.engine().container_size(record->id);
    facts.sizes = sizes ? *sizes : std::pair<int64_t, int64_t>(0, 0);
    out.push_back(format_row(*record, facts, call.version));
  }
  return out;
}

Result<json::array> image_usage(Call& call) {
  json::array out;
  for (const auto& image : TRY(call.engine().images().list())) {
    ImageRow row;
    row.containers = static_cast<int64_t>(call.engine().users_of_image(image.id).size());
    row.shared_size = 0;
    out.push_back(format_image_row(image, row, call.version));
  }
  return out;
}

Result<json::array> volume_usage(Call& call) {
  json::array out;
  for (const auto& volume : TRY(call.engine().volumes().list())) {
    auto users = call.engine().users_of_volume(volume.name).size();
    out.push_back(format_volume(volume, measure_volume(volume, static_cast<int64_t>(users))));
  }
  return out;
}

json::value cache_entry(const engine::BuildCacheEntry& entry, Version version) {
  json::object out{{"ID", json::string(entry.id)}};
  if (version < Version{1, 42})
    out["Parent"] = entry.parent;
  else if (!entry.parent.empty())
    out["Parents"] = json::array{json::string(entry.parent)};
  out["Type"] = "regular";
  out["Description"] = entry.description;
  out["InUse"] = entry.in_use;
  out["Shared"] = entry.shared;
  out["Size"] = entry.size;
  out["CreatedAt"] = codec::format_rfc3339(entry.created);
  out["LastUsedAt"] = codec::format_rfc3339(entry.used);
  out["UsageCount"] = entry.uses;
  return out;
}

Result<json::value> cache_usage(Call& call) {
  json::array out;
  for (const auto& entry : TRY(engine::list_build_cache(call.engine())))
    out.push_back(cache_entry(entry, call.version));
  return out.empty() ? json::value(nullptr) : json::value(std::move(out));
}

}  // namespace

Result<http::Response> ping(Call& call) {
  http::Response out{200, {}, call.request.method == "HEAD" ? "" : "OK"};
  out.headers = {{"Content-Type", "text/plain; charset=utf-8"},
                 {"Builder-Version", "1"},
                 {"Swarm", "inactive"},
                 {"Cache-Control", "no-cache, no-store, must-revalidate"},
                 {"Pragma", "no-cache"}};
  return out;
}

Result<http::Response> get_version(Call& call) {
  auto platform = oci::host_platform();
  std::string api = format_version(kMaxVersion), minimum = format_version(kMinVersion), kernel = kernel_release();
  json::object details{{"ApiVersion", json::string(api)},
                       {"Arch", json::string(platform.architecture)},
                       {"BuildTime", ""},
                       {"Experimental", call.engine().options().experimental ? "true" : "false"},
                       {"GitCommit", ""},
                       {"GoVersion", ""},
                       {"KernelVersion", json::string(kernel)},
                       {"MinAPIVersion", json::string(minimum)},
                       {"Os", json::string(platform.os)}};
  json::object out;
  out["Platform"] = json::object{{"Name", "Sampan"}};
  json::array components{
      json::object{{"Name", "Engine"}, {"Version", SAMPAN_VERSION}, {"Details", std::move(details)}}};
  components.push_back(
      json::object{{"Name", "sampan-shim"}, {"Version", SAMPAN_VERSION}, {"Details", json::object{{"GitCommit", ""}}}});
  components.push_back(json::object{
      {"Name", "sampan-runtime"}, {"Version", SAMPAN_VERSION}, {"Details", json::object{{"GitCommit", ""}}}});
  out["Components"] = std::move(components);
  out["Version"] = SAMPAN_VERSION;
  out["ApiVersion"] = api;
  out["MinAPIVersion"] = minimum;
  out["GitCommit"] = "";
  out["GoVersion"] = "";
  out["Os"] = platform.os;
  out["Arch"] = platform.architecture;
  out["KernelVersion"] = kernel;
  out["BuildTime"] = "";
  return json_answer(200, out);
}

Result<http::Response> post_auth(Call& call) {
  // The body has the form that X-Registry-Auth has once it is decoded.
  auto credentials = registry::parse_registry_auth(codec::format_base64(call.body));
  if (credentials.empty()) return fail(Code::InvalidArgument, "no credentials were given");
  std::string status = TRY(call.engine().registry().login(credentials, Cancel()));
  return json_answer(200, json::object{{"Status", json::string(status)}, {"IdentityToken", ""}});
}

Result<http::Response> disk_usage(Call& call) {
  json::object out;
  uint64_t layers = 0;
  for (const auto& snapshot : TRY(call.engine().snapshots().list())) {
    if (!snapshot.writable) layers += snapshot.size;
  }
  if (wants(call, "image")) {
    out["LayersSize"] = layers;
    out["Images"] = TRY(image_usage(call));
  }
  if (wants(call, "container")) out["Containers"] = TRY(container_usage(call));
  if (wants(call, "volume")) out["Volumes"] = TRY(volume_usage(call));
  if (wants(call, "build-cache")) out["BuildCache"] = TRY(cache_usage(call));
  if (call.version < Version{1, 42}) out["BuilderSize"] = 0;
  return json_answer(200, out);
}

}  // namespace sampan::api
