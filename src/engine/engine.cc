// The composition of the engine: what it is made of, where things are, how a record is saved and an event told.

#include "engine/engine.h"

#include "base/strings.h"
#include "engine/internal/core.h"
#include "store/store.h"
#include "sys/file.h"
#include "sys/lock_file.h"

namespace sampan::engine {

namespace {

std::vector<std::string> host_nameservers() {
  std::vector<std::string> out;
  auto text = sys::read_file("/etc/resolv.conf");
  if (!text) return out;
  for (const auto& line : split(*text, '\n')) {
    auto trimmed = trim(line);
    if (trimmed.starts_with("nameserver")) out.emplace_back(trim(trimmed.substr(10)));
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Engine>> open_engine(EngineOptions options) {
  return std::unique_ptr<Engine>(TRY(Core::open(std::move(options))));
}

Result<std::unique_ptr<Core>> Core::open(EngineOptions options) {
  std::unique_ptr<Core> core(new Core(std::move(options)));
  const EngineOptions& o = core->options_;
  TRY(sys::make_dirs(o.data_root, 0710));
  TRY(sys::make_dirs(o.exec_root, 0711));
  core->data_lock_ = TRY(sys::lock_file(o.data_root + "/lock"));
  core->exec_lock_ = TRY(sys::lock_file(o.exec_root + "/lock"));
  TRY(sys::make_dirs(o.data_root + "/containers"));
  TRY(sys::make_dirs(o.exec_root + "/shim"));
  core->host_ = TRY_CONTEXT(read_host_facts(), "read the host's facts");
  core->store_ = TRY(store::open_store(o.data_root + "/sampan.db"));
  core->events_ = TRY(open_event_log(*core->store_));
  core->snapshots_ = TRY(snapshot::open_overlay_snapshots(*core->store_, o.data_root + "/snapshots"));
  TRY(check_mapped_layers(o.data_root + "/snapshots", o.user_mappings));
  registry::ClientOptions registry_options;
  registry_options.insecure_registries = o.insecure_registries;
  if (!o.certs_dir.empty()) registry_options.certs_dir = o.certs_dir;
  core->registry_ = registry::make_client(registry_options);
  core->images_ = TRY(image::open_images(*core->store_, *core->snapshots_, *core->registry_, {o.data_root}));
  core->volumes_ = TRY(volume::open_volumes(*core->store_, o.data_root + "/volumes"));
  auto dns = o.dns.empty() ? host_nameservers() : o.dns;
  network::NetworksOptions network = o.network;
  network.instance = o.instance;
  network.bridge_address = o.bridge_address;
  network.upstream_dns = dns;
  core->networks_ = TRY(network::open_networks(*core->store_, std::move(network)));
  core->zygote_ = TRY_CONTEXT(shim::spawn_zygote(o.shim_program, o.exec_root), "start the zygote");
  core->loop_ = TRY(Loop::start());
  return core;
}

Core::~Core() {
  shutdown();
}

void Core::shutdown() {
  if (shutting_down_.exchange(true)) return;
  if (loop_) loop_->stop();
  workers_.stop();
  if (networks_) leave_host();
}

/// With nothing running, this daemon leaves no trace in the kernel.
void Core::leave_host() {
  auto all = list_containers({.all = true});
  if (!all) return;
  for (const auto& record : *all) {
    if (record->state.running()) return;
  }
  (void)networks_->teardown();  // what cannot be removed now is found by the next recover()
  (void)cgroup::Cgroup::open(host_.cgroups, options_.cgroup_parent).remove(std::chrono::milliseconds(100));
}

std::string Core::cgroup_path(const ContainerRecord& record) const {
  const std::string& parent = record.host_config.cgroup_parent;
  if (parent.empty()) return options_.cgroup_parent + "/" + record.id;
  return (parent.starts_with('/') ? parent : "/" + parent) + "/" + record.id;
}

cgroup::Cgroup Core::cgroup_of(const ContainerRecord& record) const {
  return cgroup::Cgroup::open(host_.cgroups, cgroup_path(record));
}

Event Core::event_of(std::string type, std::string action, std::string actor, Attributes attributes) const {
  Event event;
  event.type = std::move(type);
  event.action = std::move(action);
  event.actor_id = std::move(actor);
  event.attributes = std::move(attributes);
  event.time = now();
  return event;
}

Event Core::container_event(const ContainerRecord& record, std::string action, Attributes more) const {
  Attributes attributes = record.config.labels;
  attributes["name"] = record.name;
  attributes["image"] = record.config.image;
  for (auto& [key, value] : more) attributes[key] = std::move(value);
  return event_of("container", std::move(action), record.id, std::move(attributes));
}

Event Core::network_event(const std::string& network_id, std::string action, const std::string& container_id) const {
  Attributes attributes;
  if (auto network = networks_->get(network_id)) {
    attributes["name"] = network->name;
    attributes["type"] = network->driver;
  }
  if (!container_id.empty()) attributes["container"] = container_id;
  return event_of("network", std::move(action), network_id, std::move(attributes));
}

void Core::tell(Event event) {
  (void)events_->append(std::move(event));  // what happened has happened: a full disk must not turn it into a failure
}

void Core::tell_at(Event event, const std::string& time) {
  set_time(event, time);
  tell(std::move(event));
}

Result<void> Core::save(const ContainerRecord& record, std::vector<Event> events,
                        const std::function<Result<void>()>& more) {
  std::string json = container::format_record(record);
  TRY(store_->transaction([&]() -> Result<void> {
    TRY(store::put_document(*store_, "container", record.id, json));
    if (more) TRY(more());
    for (auto& event : events) TRY(events_->append(std::move(event)));
    return {};
  }));
  containers_.publish(record);
  return {};
}

Result<void> Core::save_what_happened(const ContainerRecord& record, std::vector<Event> events,
                                      const std::function<Result<void>()>& more) {
  auto saved = save(record, std::move(events), more);
  if (!saved) containers_.publish(record);
  return saved;
}

Result<Core::Locked> Core::lock_cell(CellPtr cell) {
  if (!cell) return fail(Code::NotFound, "No such container");
  std::unique_lock lock(cell->operation);
  auto record = containers_.record(cell->id);
  if (!record) return fail(Code::NotFound, "No such container: {}", cell->id);
  return Locked{std::move(cell), std::move(lock), std::move(record)};
}

Result<Core::Locked> Core::lock_container(const std::string& name) {
  auto found = TRY(containers_.get(name));
  auto locked = lock_cell(found.cell);
  if (!locked) return fail(Code::NotFound, "No such container: {}", name);
  return locked;
}

}  // namespace sampan::engine
