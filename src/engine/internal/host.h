#pragma once
// engine/internal/host: what this host is, read once when the engine opens, and the few facts that change.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "codec/text.h"
#include "container/plan.h"

namespace sampan::engine {

struct HostFacts {
  cgroup::HostCgroups cgroups;
  uint32_t online_cpus = 1, possible_cpus = 1;
  uint32_t memory_nodes = 0;  // 0: not known
  uint64_t memory_total = 0;
  bool seccomp_available = true;
};
Result<HostFacts> read_host_facts();

/// Fills in the defaults that depend on the host, and takes out what its kernel cannot do, with Docker's warnings.
void fit_to_host(container::HostConfig& config, const HostFacts& host, std::vector<std::string>& warnings);

codec::Time now();
/// now() as RFC 3339.
std::string now_text();
/// Nanoseconds that all CPUs have spent, from /proc/stat.
uint64_t read_system_cpu();
/// Every device node below /dev, for --privileged.
std::vector<oci::Device> list_host_devices();
/// The node at `path`, or the nodes below it when it is a directory.
/// Errors: NotFound / InvalidArgument in Docker's words.
Result<std::vector<oci::Device>> find_devices(const std::string& path);
/// (major, minor) of the block device at `path`.
Result<std::pair<int64_t, int64_t>> block_device_numbers(const std::string& path);
/// Device facts that this record's HostConfig needs.
Result<void> add_device_facts(const container::HostConfig& host, container::RuntimeFacts& facts);

}  // namespace sampan::engine
