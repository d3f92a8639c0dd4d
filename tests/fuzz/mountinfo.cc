// /proc/self/mountinfo, whose paths are chosen by whoever mounts.
#include "fuzz/fuzz.h"

#include "cgroup/internal/hierarchies.h"

FUZZ_TARGET(mountinfo) {
  auto host = sampan::cgroup::internal::parse_hierarchies(input);
  for (const auto& root : host.unique_v1_roots())
    require(root.size() <= input.size(), "a mount point is from the text");
  for (const auto& [controller, root] : host.v1_roots) require(host.has(controller), "what was found is there");
}
