#pragma once
// The parts of the seccomp compiler that are worth a test of their own. Pure.

#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/runtime.h"

namespace sampan::runtime::internal {

/// Instructions that answer ENOSYS to numbers above `newest` of the architecture, and fall through otherwise.
void append_newer_calls_stub(SeccompProgram& program, uint32_t audit_arch, uint32_t newest, uint32_t newest_x32);
/// The filter as libseccomp writes it, with the stubs in front.
Result<SeccompProgram> compile_plainly(const oci::Seccomp& seccomp);
/// seccomp(2) flags of the specification's names.
Result<unsigned> seccomp_flags(const std::vector<std::string>& names);

}  // namespace sampan::runtime::internal
