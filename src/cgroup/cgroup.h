#pragma once
// cgroup: control groups, version 1, version 2 and hybrid hosts, one controller per file under internal/.
//
// A Cgroup is one path ("/sampan/<id>") below every hierarchy that the host has. create() makes the directories and
// writes the limits while they are empty; processes enter by being born in them (clone-into-cgroup on v2) or by joining
// themselves before exec (one write of "0" to the `tasks` file of each v1 hierarchy, which takes no global lock).
// Leftovers of an earlier run with the same path are adopted; remove() retries until the kernel lets go.
// oom_watch.h hears of it when memory runs out inside; systemd.h has the cgroup made by systemd, as a scope.
//
// Source: kernel Documentation/admin-guide/cgroup-v1/*, cgroup-v2.rst.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"
#include "sys/fd.h"

namespace sampan::cgroup {

enum class Version { V1, V2, Hybrid };

/// What the host offers; read once at start.
struct HostCgroups {
  Version version = Version::V1;
  std::string v2_root;                          // mount point of the unified hierarchy, empty when there is none
  std::map<std::string, std::string> v1_roots;  // controller ("memory", "name=systemd") -> mount point
  std::vector<std::string> v2_controllers;      // enabled at the root of the unified hierarchy
  bool has(std::string_view controller) const;
  /// Mount points of the version 1 hierarchies, each once (co-mounted controllers share one).
  std::vector<std::string> unique_v1_roots() const;
};
/// Errors: NotFound when no control group filesystem is mounted.
Result<HostCgroups> detect_host();
/// What a relative path starts from: on hosts of version 2 alone the parent of the caller's own control group, which
/// has processes and can give no controller to one below; elsewhere, and at the top, "".
std::string base_of_relative_paths();

/// CPU shares (2..262144) to cpu.weight (1..10000) as the reference runtimes convert; 1024 is 100. 0 stays 0: unset.
uint64_t cpu_weight_of_shares(uint64_t shares);
/// blkio weight (10..1000) to io.weight (1..10000).
uint64_t io_weight_of_blkio(uint64_t weight);
/// memory.swap.max of Docker's memory+swap value; -1 is unlimited, 0 unset.
/// Errors: InvalidArgument (swap below memory, swap without memory).
Result<int64_t> swap_of_memory_swap(int64_t memory_swap, int64_t memory);

struct BlkioEntry {
  uint64_t major = 0, minor = 0;
  std::string op;
  uint64_t value = 0;
};
/// One sample; nanoseconds and bytes.
struct Stats {
  uint64_t cpu_total = 0, cpu_user = 0, cpu_system = 0;
  std::vector<uint64_t> cpu_percpu;  // v1 only
  uint64_t throttle_periods = 0, throttled_periods = 0, throttled_time = 0;
  uint64_t memory_usage = 0, memory_max_usage = 0, memory_failcnt = 0, memory_limit = 0;  // limit 0: none
  std::map<std::string, uint64_t> memory_stat;
  uint64_t pids_current = 0, pids_limit = 0;  // limit 0: none
  std::vector<BlkioEntry> io_service_bytes, io_serviced;
};

class Cgroup {
 public:
  /// Makes the directories and applies the limits. Errors: InvalidArgument (impossible limit, named), the errno.
  /// Limits that this host lacks become warnings.
  static Result<Cgroup> create(const HostCgroups& host, const std::string& path, const oci::Resources& resources,
                               std::vector<std::string>& warnings);
  /// A handle on an existing one; touches nothing.
  static Cgroup open(const HostCgroups& host, const std::string& path);

  const std::string& path() const { return path_; }
  const HostCgroups& host() const { return *host_; }
  /// Directory of the v2 cgroup for CLONE_INTO_CGROUP; invalid when there is no unified hierarchy.
  Result<sys::DirFd> v2_dir() const;
  /// Opened `tasks` (v1) or `cgroup.procs` (v2) files: writing "0" moves the calling single-threaded process.
  /// A process that was cloned into v2_dir() needs only the version 1 ones.
  enum class Unified { Join, BornInside };
  Result<std::vector<sys::Fd>> join_fds(Unified unified = Unified::Join) const;
  /// The same of directories below: a path by each controller's name, or under "" one for every hierarchy.
  /// Errors: InvalidArgument (unknown controller, a path that leads out), the errno (there is no such directory).
  Result<std::vector<sys::Fd>> join_fds_below(const std::map<std::string, std::string>& paths) const;
  /// The container's directory in one hierarchy: by mount point.
  std::string dir_in(const std::string& root) const { return root + path_; }
  Result<void> update(const oci::Resources& resources);
  Result<Stats> stats() const;
  Result<std::vector<pid_t>> processes() const;
  Result<void> freeze() const;
  Result<void> thaw() const;
  /// False as well when there is no such cgroup any more.
  Result<bool> is_frozen() const;
  /// SIGKILL to everything inside (cgroup.kill, or freeze + kill + thaw).
  Result<void> kill_all() const;
  /// How many times the kernel's OOM killer struck inside.
  Result<uint64_t> oom_kills() const;
  /// Waits until it is empty (polling, at most `patience`), then removes every directory. A missing one is success.
  Result<void> remove(std::chrono::milliseconds patience = std::chrono::milliseconds(2000)) const;

 private:
  Cgroup(const HostCgroups& host, std::string path) : host_(&host), path_(std::move(path)) {}
  const HostCgroups* host_;  // outlives every Cgroup
  std::string path_;
};

}  // namespace sampan::cgroup
