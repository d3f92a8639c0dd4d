#include "engine/internal/host.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
  out.memory_total = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  out.seccomp_available = sys::path_exists("/proc/sys/kernel/seccomp/actions_avail");
  return out;
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
