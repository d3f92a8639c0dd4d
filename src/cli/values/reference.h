#pragma once
// cli/values/reference: image names as users write them. Pure.

#include <string>

#include "base/result.h"

namespace sampan::cli {

struct ImageName {
  std::string repository;  // "docker.io/library/alpine", "localhost:5000/x"
  std::string tag;         // empty when none was given
  std::string digest;      // "sha256:..."
  /// "docker.io/library/alpine:3" or "...@sha256:...".
  std::string full() const;
  /// "alpine:3", without what is understood.
  std::string familiar() const;
};
/// Errors: InvalidArgument "invalid reference format".
Result<ImageName> parse_image_name(const std::string& text);

}  // namespace sampan::cli
