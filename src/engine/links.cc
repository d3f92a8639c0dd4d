// Legacy links: one container on the default network knows others by an alias, in its hosts file and its environment.

#include <fcntl.h>

#include <algorithm>

#include "base/strings.h"
#include "container/link.h"
#include "engine/internal/core.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

std::string variable_name(std::string alias) {
  for (char& c : alias) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '-') c = '_';
  }
  return alias;
}

struct ExposedPort {
  std::string protocol;
  uint64_t number = 0;
  std::string text() const { return fmt::format("{}_{}", number, variable_name(protocol)); }
};

/// The one that stands for all comes first: TCP before others, then the lowest.
std::vector<ExposedPort> exposed_ports(const ContainerRecord& record) {
  std::vector<ExposedPort> out;
  for (const auto& port : record.config.exposed_ports) {
    auto parts = split_once(port, '/');
    auto number = parse_uint(parts ? parts->first : std::string_view(port));
    if (number) out.push_back({parts ? std::string(parts->second) : "tcp", *number});
  }
  std::ranges::sort(out, {}, [](const ExposedPort& port) { return std::tuple(port.protocol != "tcp", port.number); });
  return out;
}

void add_variables(const ContainerRecord& record, const std::string& alias, const ContainerRecord& other,
                   std::vector<std::string>& out) {
  auto joined = other.networks.find("bridge");
  if (joined == other.networks.end() || joined->second.ip_address.empty()) return;
  const std::string& address = joined->second.ip_address;
  std::string prefix = variable_name(alias);
  auto ports = exposed_ports(other);
  auto url = [&](const ExposedPort& port) { return fmt::format("{}://{}:{}", port.protocol, address, port.number); };
  if (!ports.empty()) out.push_back(fmt::format("{}_PORT={}", prefix, url(ports.front())));
  for (const auto& port : ports) {
    std::string name = fmt::format("{}_PORT_{}", prefix, port.text());
    out.push_back(fmt::format("{}={}", name, url(port)));
    out.push_back(fmt::format("{}_ADDR={}", name, address));
    out.push_back(fmt::format("{}_PORT={}", name, port.number));
    out.push_back(fmt::format("{}_PROTO={}", name, port.protocol));
  }
  out.push_back(fmt::format("{}_NAME=/{}/{}", prefix, record.name, alias));
  for (const auto& variable : other.config.env) {
    auto name = variable.substr(0, variable.find('='));
    if (name == "HOME" || name == "PATH" || name == variable) continue;
    out.push_back(fmt::format("{}_ENV_{}", prefix, variable));
  }
}

/// The file is mounted in the container: it keeps its inode, and what its owner wrote into it.
Result<void> rewrite_in_place(const std::string& path, const std::string& text) {
  auto file = TRY(sys::open_file(path, O_WRONLY | O_TRUNC));
  return sys::write_all(file.get(), text);
}

/// The lines of a hosts file that name exactly these names are replaced; no entry without a line is lost.
std::string with_entry(const std::string& text, const std::vector<std::string>& names, const std::string& address) {
  std::string out, wanted = join(names, " ");
  bool found = false;
  for (const auto& line : split(text, '\n')) {
    auto parts = split_once(line, '\t');
    bool same = parts && parts->second == wanted;
    found = found || same;
    if (same && address.empty()) continue;
    out += same ? address + "\t" + wanted : std::string(line);
    out += '\n';
  }
  while (out.ends_with("\n\n")) out.pop_back();
  if (!found && !address.empty()) out += address + "\t" + wanted + "\n";
  return out;
}

}  // namespace

/// What the environment says of those that the container is linked to, for its program and for each exec. What it was
/// given by name wins.
void Core::add_link_variables(const ContainerRecord& record, std::vector<std::string>& env) {
  if (record.host_config.network_mode != "bridge" && record.host_config.network_mode != "default") return;
  std::vector<std::string> out;
  for (const auto& link : record.host_config.links.value_or(std::vector<std::string>())) {
    auto [name, alias] = container::parse_link(link);
    if (auto other = containers_.get(name)) add_variables(record, alias, *other->record, out);
  }
  std::erase_if(out, [&](const std::string& variable) {
    auto name = variable.substr(0, variable.find('=') + 1);
    return std::ranges::any_of(env, [&](const std::string& given) { return given.starts_with(name); });
  });
  env.insert(env.end(), out.begin(), out.end());
}

/// A container that starts anew may have another address: those that know it by name hear of it.
void Core::renew_hosts_of_linked(const ContainerRecord& started) {
  auto may_know_it = [&](const ContainerRecord& record) {
    const auto& links = record.host_config.links;
    return links && !links->empty() && record.state.running() && record.id != started.id;
  };
  for (const auto& record : containers_.list_if(may_know_it)) {
    bool linked = std::ranges::any_of(*record->host_config.links, [&](const std::string& link) {
      auto other = containers_.get(container::parse_link(link).name);
      return other && other->record->id == started.id;
    });
    if (!linked) continue;
    std::vector<container::HostsEntry> entries;
    // One of the others may not run: those before it are renewed.
    (void)add_links(*record, entries);
    auto text = sys::read_file(record->hosts_path);
    if (!text) continue;
    std::string fresh = *text;
    for (const auto& entry : entries) fresh = with_entry(fresh, entry.names, entry.address);
    if (fresh != *text) (void)rewrite_in_place(record->hosts_path, fresh);
  }
}

Result<void> Core::remove_link(const std::string& name) {
  std::string path = name.starts_with('/') ? name.substr(1) : name;
  auto parts = split_once(path, '/');
  if (!parts) return fail(Code::Conflict, "Conflict, cannot remove the default link name of the container");
  auto locked = TRY(lock_container(std::string(parts->first)));
  ContainerRecord record = *locked.record;
  auto links = record.host_config.links.value_or(std::vector<std::string>());
  auto found = std::ranges::find(links, std::string(parts->second),
                                 [](const auto& link) { return container::parse_link(link).alias; });
  if (found == links.end()) return fail(Code::NotFound, "No such link: /{}", path);
  auto other = containers_.get(container::parse_link(*found).name);
  std::string alias(parts->second);
  links.erase(found);
  record.host_config.links = links.empty() ? std::nullopt : std::optional(std::move(links));
  TRY(save(record, {}));
  auto text = sys::read_file(record.hosts_path);
  if (!other || !text) return {};
  const auto& linked = *other->record;
  auto fresh = with_entry(*text, {alias, linked.config.hostname, linked.name}, "");
  return fresh == *text ? Result<void>() : rewrite_in_place(record.hosts_path, fresh);
}

}  // namespace sampan::engine
