// rdma. Source: kernel cgroup-v1/rdma.rst; the same file on both versions.
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"

namespace sampan::cgroup::internal {
namespace {

bool asked(const oci::Resources& resources) {
  return !resources.rdma.empty();
}

Result<void> apply(const Request& request) {
  for (const auto& [device, limit] : request.asked.rdma) {
    std::string line = device;
    if (limit.hca_handles) line += fmt::format(" hca_handle={}", *limit.hca_handles);
    if (limit.hca_objects) line += fmt::format(" hca_object={}", *limit.hca_objects);
    TRY(write_value(request.dir, "rdma.max", line));
  }
  return {};
}

}  // namespace

const Controller kRdma{"rdma", "rdma", asked, apply, apply, nullptr, nullptr};

}  // namespace sampan::cgroup::internal
