#pragma once
// The parent's part before the clone: everything that can be opened, checked or computed without the container's
// namespaces, so that the child has as little as possible left to do and to get wrong.

#include <string>
#include <vector>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "oci/spec.h"
#include "runtime/internal/steps.h"
#include "runtime/runtime.h"

namespace sampan::runtime::internal {

struct NamespacePlan {
  uint64_t made_by_clone = 0, made_late = 0;
  std::vector<NamespaceJoin> joins;  // pid apart
  sys::Fd pid;                       // to be joined by the parent, around the clone
  bool user_joined = false;
  bool user_entered = false;  // the caller is in it already (rootless)
  bool no_cgroups = false;    // none could be made (rootless)
};
Result<NamespacePlan> plan_namespaces(const oci::Spec& spec);

Result<ContainerPlan> plan_container(const oci::Spec& spec, const CreateOptions& options,
                                     const cgroup::HostCgroups& host, const cgroup::Cgroup& cgroups,
                                     NamespacePlan& namespaces);
/// Capability masks of the process, limited to what there is.
Result<void> plan_capabilities(const oci::Process& process, ProcessPlan& plan, std::vector<std::string>& warnings);
/// The root filesystem, detached. `spec`: of the container whose user namespace may serve to map it.
Result<sys::MountFd> open_rootfs(const oci::Mount& mount, const oci::Spec* spec = nullptr);

/// Children of the caller are born in the pid namespace while this lives.
class PidNamespaceVisit {
 public:
  static Result<PidNamespaceVisit> enter(int target);
  PidNamespaceVisit(PidNamespaceVisit&& other) noexcept : home_(std::move(other.home_)) {}
  PidNamespaceVisit& operator=(PidNamespaceVisit&&) = delete;
  ~PidNamespaceVisit();

 private:
  explicit PidNamespaceVisit(sys::Fd home) : home_(std::move(home)) {}
  sys::Fd home_;
};

}  // namespace sampan::runtime::internal
