#pragma once
// What a specification may not say: found before anything is made, each refusal naming the member. Pure, but for what
// needs the host (a path that must exist is found when it is opened).

#include <string>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"

namespace sampan::runtime::internal {

/// Errors: InvalidArgument, NotImplemented (what this runtime does not have).
Result<void> validate_spec(const oci::Spec& spec);
/// The same for init and exec. Warnings: what is odd but no error.
Result<void> validate_process(const oci::Process& process, std::vector<std::string>& warnings);

}  // namespace sampan::runtime::internal
