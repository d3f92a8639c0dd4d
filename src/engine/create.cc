// Creating a container: name, record, writable layer, directory, volumes; the record is committed last, with its event,
// so a crash before that leaves nothing that anybody can see (recover() removes the parts).

#include "base/strings.h"
#include "engine/internal/core.h"
#include "engine/internal/names.h"
#include "sys/file.h"

namespace sampan::engine {

Result<std::optional<image::ImageRecord>> Core::find_image(const container::ContainerSpec& spec) {
  if (spec.config.image.empty()) return fail(Code::InvalidArgument, "no image specified");
  auto image = images_->get(spec.config.image);
  if (!image) {
    if (image.error().code() != Code::NotFound) return std::move(image).error();
    auto reference = oci::parse_reference(spec.config.image);
    return fail(Code::NotFound, "No such image: {}", reference ? reference->familiar() : spec.config.image);
  }
  if (!spec.platform.empty()) {
    auto wanted = TRY(oci::parse_platform(spec.platform));
    oci::Platform actual{image->config.os, image->config.architecture, image->config.variant};
    if (!oci::platform_matches(actual, wanted)) {
      return fail(Code::NotFound,
                  "image with reference {} was found but its platform ({}) does not match the specified platform ({})",
                  spec.config.image, oci::format_platform(actual), oci::format_platform(wanted));
    }
  }
  return std::optional(std::move(*image));
}

/// The containers whose namespaces are to be shared, and those that are linked, must be there.
Result<void> Core::check_other_containers(const container::HostConfig& host) {
  for (const auto* mode : {&host.pid_mode, &host.ipc_mode}) {
    if (!mode->starts_with("container:")) continue;
    auto other = containers_.get(mode->substr(10));
    if (!other) return fail(Code::InvalidArgument, "{}", other.error().message());
  }
  if (!host.links) return {};
  for (const auto& link : *host.links) {
    std::string name = link.substr(0, link.find(':'));
    auto other = containers_.get(name);
    if (!other) return fail(Code::InvalidArgument, "could not get container for {}: {}", name, other.error().message());
  }
  return {};
}

Result<ContainerRecord> Core::draft_record(const container::ContainerSpec& spec, const image::ImageRecord* image,
                                           std::vector<std::string>& warnings) {
  container::RecordFacts facts;
  facts.id = random_id();
  facts.created = now_text();
  facts.directory = container_dir(facts.id);
  facts.cpus = host_.online_cpus;
  facts.memory_nodes = host_.memory_nodes;
  facts.name = spec.name.starts_with('/') ? spec.name.substr(1) : spec.name;
  for (const auto& piece : split(spec.host_config.cgroup_parent, '/')) {
    if (piece == "..") return fail(Code::InvalidArgument, "invalid cgroup parent: {}", spec.host_config.cgroup_parent);
  }
  TRY(check_other_containers(spec.host_config));
  if (!options_.user_mappings.empty() && spec.host_config.userns_mode != "host")
    TRY(container::validate_user_namespace(spec.host_config));
  bool named = !facts.name.empty();
  for (int attempt = 0; !named; ++attempt) {
    facts.name = make_name(random_seed(), attempt);
    if (containers_.reserve_name(facts.name, facts.id)) break;
    if (attempt == 1000) return fail(Code::ResourceExhausted, "no free container name was found");
  }
  // Validated before the name is looked at: a bad name is a bad request, not a conflict.
  auto record = container::make_record(spec, image, facts, warnings);
  if (record && named) {
    auto reserved = containers_.reserve_name(facts.name, facts.id);
    if (!reserved) return std::move(reserved).error();
  }
  if (!record) {
    containers_.release_name(facts.name, facts.id);
    return record;
  }
  fit_to_host(record->host_config, host_, warnings);
  auto networks = normalise_networks(*record);
  if (!networks) {
    containers_.release_name(facts.name, facts.id);
    return std::move(networks).error();
  }
  return record;
}

/// Clients name networks by id, by name or "default"; the record knows them by name.
Result<void> Core::normalise_networks(ContainerRecord& record) {
  auto name_of = [&](const std::string& given) -> std::string {
    if (given.empty() || given == "default") return "bridge";
    auto network = networks_->get(given);
    return network ? network->name : given;  // an unknown one is an error of start, as in Docker
  };
  std::string& mode = record.host_config.network_mode;
  if (!mode.starts_with("container:")) mode = name_of(mode);
  std::map<std::string, container::EndpointSettings> named;
  for (auto& [given, settings] : record.networks) named[name_of(given)] = std::move(settings);
  record.networks = std::move(named);
  if (!record.config.mac_address.empty()) {
    if (auto it = record.networks.find(mode); it != record.networks.end() && it->second.mac_address.empty()) {
      it->second.mac_address = record.config.mac_address;
    }
  }
  if ((mode == "host" || mode == "none") && record.networks.size() > 1) {
    return fail(Code::InvalidArgument,
                "conflicting options: cannot attach both user-defined and non-user-defined "
                "network-modes");
  }
  return {};
}

Result<void> Core::build_container(ContainerRecord& record, const image::ImageRecord* image) {
  std::optional<SnapshotKey> parent;
  if (image) parent = image->top;
  auto plans = TRY(container::plan_mounts(record.config, record.host_config, TRY(volumes_from(record.host_config))));
  TRY_CONTEXT(snapshots_->create_writable(SnapshotKey(record.id), parent), "create the writable layer");
  TRY(sys::make_dirs(container_dir(record.id) + "/log"));
  TRY(create_mounts(record, plans));
  TRY(fill_volumes(record, plans));
  return save(record, {container_event(record, "create")});
}

void Core::discard_container(const ContainerRecord& record) {
  // Undoing is best effort: what stays has no record and goes at the next start of the daemon.
  remove_anonymous_volumes(record);
  (void)snapshots_->remove(SnapshotKey(record.id));
  (void)sys::remove_tree(container_dir(record.id));
  containers_.release_name(record.name, record.id);
}

Result<Created> Core::create_container(const container::ContainerSpec& asked) {
  Created out;
  container::ContainerSpec spec = asked;
  apply_defaults(options_.defaults, spec);
  auto image = TRY(find_image(spec));
  auto record = TRY(draft_record(spec, image ? &*image : nullptr, out.warnings));
  // Until its record can be seen, nothing else says that its volumes are in use.
  std::shared_lock in_use(volume_use_);
  auto built = build_container(record, image ? &*image : nullptr);
  if (!built) {
    discard_container(record);
    return std::move(built).error();
  }
  out.id = record.id;
  containers_.insert(std::move(record));
  return out;
}

}  // namespace sampan::engine
