#pragma once
// From a reference to the one manifest that this platform runs.

#include "image/internal/core.h"

namespace sampan::image {

struct ResolvedManifest {
  registry::Fetched top;                     // what the tag names: a manifest or an index
  std::vector<registry::Fetched> documents;  // top and every document on the way, the manifest last
  oci::Manifest manifest;
};

struct PullTarget {
  const oci::Reference& reference;
  std::optional<oci::Platform> platform;
  const registry::Credentials& credentials;
};

/// Errors: NotFound ("no matching manifest for linux/arm64 in the manifest list entries"), InvalidArgument (not an
/// image, foreign layers, too many), those of the registry.
Result<ResolvedManifest> resolve_manifest(Core& core, const PullTarget& target, const Cancel& cancel);

}  // namespace sampan::image
