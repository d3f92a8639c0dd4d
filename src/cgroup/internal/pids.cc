// pids: the number of tasks. Source: kernel cgroup-v1/pids.rst.
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

bool asked(const oci::Resources& resources) {
  return resources.pids && resources.pids->limit != 0;
}

Result<void> apply(const Request& request) {
  int64_t limit = request.asked.pids->limit;
  return write_value(request.dir, "pids.max", limit > 0 ? std::to_string(limit) : "max");
}

void stats(const std::string& dir, Stats& stats) {
  stats.pids_current = read_number(dir, "pids.current");
  stats.pids_limit = read_number(dir, "pids.max");
}

}  // namespace

const Controller kPids{"pids", "pids", asked, apply, apply, stats, stats};

}  // namespace sampan::cgroup::internal
