#pragma once
// The controllers: one file each. A controller turns the part of oci::Resources that is its own into a few writes in
// its directory, and reads its part of the statistics.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "oci/spec.h"

namespace sampan::cgroup::internal {

/// What one apply needs: the directory in the controller's hierarchy, what is asked, where warnings go.
struct Request {
  const std::string& dir;
  const oci::Resources& asked;
  std::vector<std::string>& warnings;
};

struct Controller {
  const char* v1;                        // its name on version 1, nullptr: none
  const char* v2;                        // its name in cgroup.controllers; "" needs none there
  bool (*asked)(const oci::Resources&);  // is there anything to write
  Result<void> (*apply_v1)(const Request&);
  Result<void> (*apply_v2)(const Request&);
  void (*stats_v1)(const std::string& dir, Stats&);  // nullptr: none
  void (*stats_v2)(const std::string& dir, Stats&);
};

extern const Controller kCpu, kCpuacct, kCpuset, kMemory, kDevices, kPids, kBlkio, kHugetlb, kNetCls, kNetPrio, kRdma,
    kUnified;
/// In the order of application.
std::span<const Controller* const> all_controllers();

/// Makes cpuset.cpus and cpuset.mems of a version 1 directory usable: copies the parent's into empty ones, from the
/// hierarchy's root down. A process cannot enter before.
Result<void> seed_cpuset(const std::string& root, const std::string& path);

// freezer.cc
Result<void> set_frozen_v1(const std::string& dir, bool frozen);
Result<void> set_frozen_v2(const std::string& dir, bool frozen);

/// The device program of the unified hierarchy: the last rule that matches decides, nothing matching is a refusal.
std::vector<uint64_t> compile_device_program(const std::vector<oci::DeviceRule>& rules);
/// A rule as the version 1 files take it: "c 1:3 rwm".
std::string format_device_rule(const oci::DeviceRule& rule);
/// "8:0 Read 4096" lines of the blkio files.
std::vector<BlkioEntry> parse_blkio(std::string_view text);

}  // namespace sampan::cgroup::internal
