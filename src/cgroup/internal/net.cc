// net_cls and net_prio: version 1 only. Source: kernel cgroup-v1/net_cls.rst, net_prio.rst.
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

bool class_asked(const oci::Resources& resources) {
  return resources.network && resources.network->class_id.value_or(0) != 0;
}
bool priorities_asked(const oci::Resources& resources) {
  return resources.network && !resources.network->priorities.empty();
}

Result<void> apply_class(const Request& request) {
  return write_number(request.dir, "net_cls.classid", *request.asked.network->class_id);
}

Result<void> apply_priorities(const Request& request) {
  for (const auto& entry : request.asked.network->priorities)
    TRY(write_value(request.dir, "net_prio.ifpriomap", fmt::format("{} {}", entry.name, entry.priority)));
  return {};
}

}  // namespace

const Controller kNetCls{"net_cls", nullptr, class_asked, apply_class, nullptr, nullptr, nullptr};
const Controller kNetPrio{"net_prio", nullptr, priorities_asked, apply_priorities, nullptr, nullptr, nullptr};

}  // namespace sampan::cgroup::internal
