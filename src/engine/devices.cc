// Devices that are asked for by name: what HostConfig.DeviceRequests means, and what their vendors' files make of it.

#include <algorithm>

#include "base/strings.h"
#include "cdi/cdi.h"
#include "engine/internal/core.h"

namespace sampan::engine {

namespace {

constexpr const char* kGpuKind = "nvidia.com/gpu";
constexpr std::string_view kGpuCapabilities[] = {"gpu",      "nvidia",  "compute", "compat32",
                                                 "graphics", "utility", "video",   "display"};

/// Docker's words for a request that nothing here can serve: [[gpu nvidia] [tpu]].
Error unserved(const container::DeviceRequest& request) {
  std::string sets;
  for (const auto& set : request.capabilities) sets += (sets.empty() ? "[" : " [") + join(set, " ") + "]";
  return fail(Code::InvalidArgument, "could not select device driver \"{}\" with capabilities: [{}]", request.driver,
              sets);
}

/// One of the sets must be of graphics processors alone; they are alternatives.
bool asks_for_gpus(const container::DeviceRequest& request) {
  if (!request.driver.empty() && request.driver != "nvidia") return false;
  return std::ranges::any_of(request.capabilities, [](const auto& set) {
    auto known = [](const std::string& word) {
      return std::ranges::find(kGpuCapabilities, word) != std::end(kGpuCapabilities);
    };
    return std::ranges::find(set, "gpu") != set.end() && std::ranges::all_of(set, known);
  });
}

std::vector<std::string> gpu_names(const cdi::Catalog& catalog, const container::DeviceRequest& request) {
  std::vector<std::string> ids = request.device_ids;
  if (ids.empty() && request.count < 0) ids.emplace_back("all");
  for (int64_t i = 0; ids.size() < static_cast<size_t>(std::max<int64_t>(request.count, 0)); ++i)
    ids.push_back(std::to_string(i));
  std::string prefix = std::string(kGpuKind) + "=";
  std::vector<std::string> out;
  for (const auto& id : ids) {
    if (id != "all" || catalog.devices.contains(prefix + id)) {
      out.push_back(prefix + id);
      continue;
    }
    for (const auto& [name, entry] : catalog.devices) {  // a vendor's file need not have a device "all"
      if (name.starts_with(prefix)) out.push_back(name);
    }
  }
  return out;
}

Result<std::vector<std::string>> requested_names(const cdi::Catalog& catalog,
                                                 const std::vector<container::DeviceRequest>& requests) {
  std::vector<std::string> out;
  for (const auto& request : requests) {
    if (request.driver == "cdi") {
      out.insert(out.end(), request.device_ids.begin(), request.device_ids.end());
      continue;
    }
    if (!asks_for_gpus(request) || !catalog.has_kind(kGpuKind)) return unserved(request);
    if (request.count != 0 && !request.device_ids.empty())
      return fail(Code::InvalidArgument, "cannot set both Count and DeviceIDs on device request");
    auto names = gpu_names(catalog, request);
    out.insert(out.end(), names.begin(), names.end());
  }
  return out;
}

}  // namespace

/// The files are read anew: a vendor's tool may have written them a moment ago.
Result<void> Core::add_requested_devices(const ContainerRecord& record, oci::Spec& spec) {
  const auto& requests = record.host_config.device_requests;
  if (!requests || requests->empty()) return {};
  auto catalog = cdi::read_catalog(options_.cdi_spec_dirs);
  auto names = TRY(requested_names(catalog, *requests));
  auto injected = cdi::inject(catalog, names, spec);
  // Those two are not the runtime library's to run, and nobody else does yet.
  if (injected && spec.hooks && !(spec.hooks->poststart.empty() && spec.hooks->poststop.empty()))
    injected = fail(Code::NotImplemented, "hooks poststart and poststop are not implemented");
  if (injected) return {};
  // What is wrong with the files may be the reason: whoever asked hears it.
  std::string text = "CDI device injection failed: " + injected.error().message();
  for (const auto& problem : catalog.problems) text += "\n" + problem;
  return fail(injected.error().code(), "{}", text);
}

}  // namespace sampan::engine
