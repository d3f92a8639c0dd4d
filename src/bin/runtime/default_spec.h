#pragma once
// The specification that `sampan-runtime spec` writes: a shell on a read-only root, confined as a container should be.
// Pure.

#include "oci/spec.h"

namespace sampan::bin {

oci::Spec default_spec();

}  // namespace sampan::bin
