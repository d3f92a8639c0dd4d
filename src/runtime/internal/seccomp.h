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

/// Whether a rule asks a process outside (SCMP_ACT_NOTIFY).
bool needs_listener(const oci::Seccomp& seccomp);
/// The flags that the section is loaded with.
Result<unsigned> section_flags(const oci::Seccomp& seccomp, bool listener);

/// Who decides about the system calls of a process.
struct Agent {
  sys::Fd socket;
  std::string metadata;
  static Result<Agent> connect(const oci::Seccomp& seccomp);
  /// Sends the listener with the container process state of the specification.
  Result<void> hand_over(int listener, const StateDocument& state, pid_t pid) const;
};

}  // namespace sampan::runtime::internal
