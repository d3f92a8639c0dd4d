#include "bin/runtime/default_spec.h"

namespace sampan::bin {
namespace {

std::vector<oci::Mount> default_mounts() {
  return {
      {"/proc", "proc", "proc", {}, {}, {}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}, {}, {}},
      {"/dev/pts",
       "devpts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
       {},
       {}},
      {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}, {}, {}},
      {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}, {}, {}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}, {}, {}},
      {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}, {}, {}},
  };
}

oci::Linux default_linux() {
  oci::Linux out;
  out.resources.emplace();
  out.resources->devices = {{false, "a", {}, {}, "rwm"}};
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"}) out.namespaces.push_back({type, ""});
  out.masked_paths = {"/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
                      "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                      "/sys/firmware",       "/proc/scsi",       "/proc/interrupts",  "/sys/devices/virtual/powercap"};
  out.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return out;
}

}  // namespace

oci::Spec default_spec() {
  oci::Spec spec;
  oci::Process process;
  process.terminal = true;
  process.args = {"sh"};
  process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
  process.cwd = "/";
  std::vector<std::string> capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  process.capabilities.emplace();
  process.capabilities->bounding = process.capabilities->effective = process.capabilities->permitted = capabilities;
  process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
  process.no_new_privileges = true;
  spec.process = process;
  spec.root = oci::Root{"rootfs", true};
  spec.hostname = "sampan";
  spec.mounts = default_mounts();
  spec.linux_ = default_linux();
  return spec;
}

void make_rootless(oci::Spec& spec, uint32_t uid, uint32_t gid) {
  std::erase_if(spec.linux_->namespaces,
                [](const oci::Namespace& space) { return space.type == "network" || space.type == "user"; });
  spec.linux_->namespaces.push_back({"user", ""});
  spec.linux_->uid_mappings = {{0, uid, 1}};
  spec.linux_->gid_mappings = {{0, gid, 1}};
  spec.linux_->resources.reset();
  std::erase_if(spec.mounts, [](const oci::Mount& mount) { return mount.destination.starts_with("/sys"); });
  // Ids other than the own one do not exist in there.
  for (auto& mount : spec.mounts)
    std::erase_if(mount.options,
                  [](const std::string& option) { return option.starts_with("gid=") || option.starts_with("uid="); });
  spec.mounts.push_back({"/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}, {}, {}});
}

}  // namespace sampan::bin
