#pragma once
// sys/bpf: the two bpf(2) commands that device control on the unified hierarchy needs; raw, so that the static
// programs need no library for it. Source: bpf(2), kernel Documentation/admin-guide/cgroup-v2.rst "Device controller".

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace sampan::sys {

using BpfFd = OwnedFd<struct BpfTag>;

/// Loads a program of type cgroup_device. Errors: the errno, with the verifier's last words.
Result<BpfFd> load_device_program(std::span<const uint64_t> instructions);
/// Attaches it; what was attached before is detached, so that an update replaces.
Result<void> attach_device_program(int cgroup, const BpfFd& program);

}  // namespace sampan::sys
