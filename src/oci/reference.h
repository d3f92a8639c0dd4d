#pragma once
// oci/reference: image references, "[domain/]path[:tag][@digest]". Source: the distribution project's grammar.

#include <string>
#include <string_view>

#include "base/result.h"

namespace sampan::oci {

/// A parsed, normalised reference. `busybox` is domain "docker.io", path "library/busybox", tag "latest".
struct Reference {
  std::string domain;
  std::string path;
  std::string tag;     // empty when only a digest was given
  std::string digest;  // empty when none was given
  auto operator<=>(const Reference&) const = default;

  /// "docker.io/library/busybox"
  std::string name() const { return domain + "/" + path; }
  /// What Docker shows: "busybox", "quay.io/a/b".
  std::string familiar_name() const;
  /// "busybox:latest"; with only a digest "busybox@sha256:...".
  std::string familiar() const;
};

enum class DefaultTag { No, Yes };
/// Errors: InvalidArgument ("invalid reference format", "... must be lowercase"), also for a 64-digit hexadecimal name.
Result<Reference> parse_reference(std::string_view text, DefaultTag default_tag = DefaultTag::Yes);

}  // namespace sampan::oci
