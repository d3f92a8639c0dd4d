// What a running container uses, and the processes in it.

#include <algorithm>

#include "base/strings.h"
#include "engine/internal/core.h"
#include "engine/internal/processes.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

/// "eth0: bytes packets errs drop fifo frame compressed multicast | the same for what was sent".
std::map<std::string, NetworkCounters> read_interfaces(int64_t pid) {
  std::map<std::string, NetworkCounters> out;
  auto text = sys::read_file(fmt::format("/proc/{}/net/dev", pid));
  if (!text) return out;
  for (const auto& line : split(*text, '\n')) {
    auto parts = split_once(line, ':');
    if (!parts) continue;
    std::string name(trim(parts->first));
    if (name == "lo") continue;
    std::vector<uint64_t> numbers;
    for (const auto& word : split(parts->second, ' ')) {
      if (auto number = parse_uint(word)) numbers.push_back(*number);
    }
    if (numbers.size() < 12) continue;
    out[name] = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[8], numbers[9], numbers[10], numbers[11]};
  }
  return out;
}

}  // namespace

Result<StatsSample> Core::sample_stats(const std::string& name) {
  auto record = TRY(get_container(name));
  StatsSample out;
  if (!record->state.running() || record->state.pid == 0) return out;  // read stays zero: there is nothing to tell
  out.cgroup = TRY(cgroup_of(*record).stats());
  out.read = now();
  out.unified = host_.cgroups.version == cgroup::Version::V2;
  out.system_cpu = read_system_cpu();
  out.online_cpus = host_.online_cpus;
  out.memory_limit = out.cgroup.memory_limit;
  if (out.memory_limit == 0 || out.memory_limit > host_.memory_total) out.memory_limit = host_.memory_total;
  const std::string& mode = record->host_config.network_mode;
  if (mode != "host" && !mode.starts_with("container:")) out.networks = read_interfaces(record->state.pid);
  return out;
}

Result<Top> Core::top_container(const std::string& name, const std::string& ps_args) {
  auto record = TRY(get_container(name));
  TRY(container::can_resize(*record));
  auto columns = TRY(parse_ps_arguments(ps_args));
  auto pids = TRY(cgroup_of(*record).processes());
  std::ranges::sort(pids);
  tell(container_event(*record, "top"));
  return list_processes(pids, columns);
}

}  // namespace sampan::engine
