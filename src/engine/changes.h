#pragma once
// engine/changes: the Dockerfile instructions that `commit --change` and `import --change` take.

#include <string>
#include <vector>

#include "base/result.h"
#include "oci/image.h"

namespace sampan::engine {

/// Applies CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK NONE|CMD, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
/// Errors: InvalidArgument naming the instruction.
Result<void> apply_changes(const std::vector<std::string>& changes, oci::ImageConfig& config);

}  // namespace sampan::engine
