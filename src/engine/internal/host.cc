#include "engine/internal/host.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::engine {

namespace {

/// "0-3,5" counts to the highest number plus one.
uint32_t count_cpus(std::string_view list, uint32_t otherwise) {
  auto trimmed = trim(list);
  size_t at = trimmed.find_last_of("-,");
  auto last = parse_uint(at == std::string_view::npos ? trimmed : trimmed.substr(at + 1));
  return last ? static_cast<uint32_t>(*last + 1) : otherwise;
}

std::optional<oci::Device> device_of(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
  if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode)) return std::nullopt;
  oci::Device out;
  out.path = path;
  out.type = S_ISCHR(info.st_mode) ? "c" : "b";
  out.major = major(info.st_rdev);
  out.minor = minor(info.st_rdev);
  out.file_mode = info.st_mode & 07777;
  out.uid = info.st_uid;
  out.gid = info.st_gid;
  return out;
}

void collect_devices(const std::string& directory, int depth, std::vector<oci::Device>& out) {
  static const std::set<std::string> kNotForContainers = {"pts", "shm", "fd", "mqueue", "console", ".udev"};
  auto names = sys::list_dir(directory);
  if (!names || depth > 8) return;
  for (const auto& name : *names) {
    if (kNotForContainers.contains(name)) continue;
    std::string path = directory + "/" + name;
    struct stat info;
    if (::lstat(path.c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode))
      collect_devices(path, depth + 1, out);
    else if (auto device = device_of(path))
      out.push_back(std::move(*device));
  }
}

}  // namespace

Result<HostFacts> read_host_facts() {
  HostFacts out;
  out.cgroups = TRY(cgroup::detect_host());
  long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  out.online_cpus = online > 0 ? static_cast<uint32_t>(online) : 1;
  auto possible = sys::read_file("/sys/devices/system/cpu/possible");
  out.possible_cpus = possible ? count_cpus(*possible, out.online_cpus) : out.online_cpus;
  if (auto nodes = sys::read_file("/sys/devices/system/node/online")) out.memory_nodes = count_cpus(*nodes, 0);
  out.memory_total = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  out.seccomp_available = sys::path_exists("/proc/sys/kernel/seccomp/actions_avail");
  return out;
}

void fit_to_host(container::HostConfig& config, const HostFacts& host, std::vector<std::string>& warnings) {
  const bool v2 = host.cgroups.version == cgroup::Version::V2;
  auto has_file = [&](const char* controller, std::initializer_list<const char*> names) {
    auto root = host.cgroups.v1_roots.find(controller);
    if (v2 || root == host.cgroups.v1_roots.end()) return v2;
    return std::ranges::any_of(names, [&](const char* name) { return sys::path_exists(root->second + "/" + name); });
  };
  if (config.cgroupns_mode.empty()) config.cgroupns_mode = v2 && !config.privileged ? "private" : "host";
  if (!config.oom_kill_disable && !v2) config.oom_kill_disable = false;
  const bool weights = has_file("blkio", {"blkio.weight", "blkio.bfq.weight"});
  if (config.blkio_weight != 0 && !weights) {
    warnings.emplace_back(
        "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.");
    config.blkio_weight = 0;
  }
  if (config.blkio_weight_device && !config.blkio_weight_device->empty() && !weights) {
    warnings.emplace_back(
        "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.");
    config.blkio_weight_device->clear();
  }
  if (config.memory_swap > 0 && !has_file("memory", {"memory.memsw.limit_in_bytes"})) {
    warnings.emplace_back(
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without "
        "swap.");
    config.memory_swap = -1;
  }
  if (config.memory_swappiness && *config.memory_swappiness != -1 && v2) {
    warnings.emplace_back(
        "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness "
        "discarded.");
    config.memory_swappiness.reset();
  }
  if (config.oom_kill_disable.value_or(false) && v2) {
    warnings.emplace_back("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
    config.oom_kill_disable.reset();
  }
}

codec::Time now() {
  auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

std::string now_text() {
  return codec::format_rfc3339(now());
}

uint64_t read_system_cpu() {
  auto text = sys::read_file("/proc/stat");
  if (!text) return 0;
  auto line = std::string_view(*text).substr(0, text->find('\n'));
  uint64_t ticks = 0;
  int field = 0;
  for (const auto& word : split(line, ' ')) {  // cpu  user nice system idle iowait irq softirq steal: Docker adds seven
    auto value = parse_uint(word);
    if (!value || ++field > 7) continue;
    ticks += *value;
  }
  return ticks * (1'000'000'000 / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
}

std::vector<oci::Device> list_host_devices() {
  std::vector<oci::Device> out;
  collect_devices("/dev", 0, out);
  return out;
}

Result<std::vector<oci::Device>> find_devices(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    return fail(Code::InvalidArgument,
                "error gathering device information while adding custom device \"{}\": no such "
                "file or directory",
                path);
  }
  std::vector<oci::Device> out;
  if (S_ISDIR(info.st_mode)) {
    collect_devices(path, 0, out);
  } else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    oci::Device device;  // through a symbolic link, such as /dev/disk/by-id/x
    device.path = path;
    device.type = S_ISCHR(info.st_mode) ? "c" : "b";
    device.major = major(info.st_rdev);
    device.minor = minor(info.st_rdev);
    device.file_mode = info.st_mode & 07777;
    device.uid = info.st_uid;
    device.gid = info.st_gid;
    out.push_back(std::move(device));
  }
  if (out.empty()) {
    return fail(Code::InvalidArgument,
                "error gathering device information while adding custom device \"{}\": not a "
                "device node",
                path);
  }
  return out;
}

Result<std::pair<int64_t, int64_t>> block_device_numbers(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return sys::sys_error("stat", path);
  if (!S_ISBLK(info.st_mode)) return fail(Code::InvalidArgument, "{} is not a block device", path);
  return std::pair<int64_t, int64_t>(major(info.st_rdev), minor(info.st_rdev));
}

Result<void> add_device_facts(const container::HostConfig& host, container::RuntimeFacts& facts) {
  if (host.privileged) facts.host_devices = list_host_devices();
  if (host.devices && !host.privileged) {
    for (const auto& mapping : *host.devices) {
      facts.mapped_devices[mapping.path_on_host] = TRY(find_devices(mapping.path_on_host));
    }
  }
  auto add = [&](const auto& list) -> Result<void> {
    if (!list) return {};
    for (const auto& item : *list) facts.device_numbers[item.path] = TRY(block_device_numbers(item.path));
    return {};
  };
  TRY(add(host.blkio_weight_device));
  TRY(add(host.blkio_device_read_bps));
  TRY(add(host.blkio_device_write_bps));
  TRY(add(host.blkio_device_read_iops));
  return add(host.blkio_device_write_iops);
}

}  // namespace sampan::engine
