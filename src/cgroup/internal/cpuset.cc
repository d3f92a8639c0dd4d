// cpuset. Source: kernel cgroup-v1/cpusets.rst, cgroup-v2.rst "Cpuset".
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

bool asked(const oci::Resources& resources) {
  return resources.cpu && (!resources.cpu->cpus.empty() || !resources.cpu->mems.empty());
}

Result<void> apply(const Request& request) {
  const auto& cpu = *request.asked.cpu;
  if (!cpu.cpus.empty()) TRY(write_value(request.dir, "cpuset.cpus", cpu.cpus));
  if (!cpu.mems.empty()) TRY(write_value(request.dir, "cpuset.mems", cpu.mems));
  return {};
}

Result<void> inherit(const std::string& parent, const std::string& dir, const char* file) {
  if (!read_text(dir, file).empty()) return {};
  return write_value(dir, file, read_text(parent, file));
}

}  // namespace

Result<void> seed_cpuset(const std::string& root, const std::string& path) {
  std::string parent = root + path.substr(0, path.rfind('/')), dir = root + path;
  if (parent != root && (read_text(parent, "cpuset.mems").empty() || read_text(parent, "cpuset.cpus").empty()))
    TRY(seed_cpuset(root, path.substr(0, path.rfind('/'))));
  TRY(inherit(parent, dir, "cpuset.cpus"));
  return inherit(parent, dir, "cpuset.mems");
}

const Controller kCpuset{"cpuset", "cpuset", asked, apply, apply, nullptr, nullptr};

}  // namespace sampan::cgroup::internal
