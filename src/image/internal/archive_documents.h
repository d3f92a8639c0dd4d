#pragma once
// The JSON documents in a `docker save` archive.

#include <boost/describe/class.hpp>

#include <string>
#include <vector>

#include "codec/json_style.h"

namespace sampan::image {

/// One element of manifest.json.
struct SavedImage {
  std::string config;
  std::vector<std::string> repo_tags, layers;
};
BOOST_DESCRIBE_STRUCT(SavedImage, (), (config, repo_tags, layers))
inline codec::JsonStyle json_style(const SavedImage*) {
  return {codec::Naming::Pascal, codec::Emit::All};
}

inline constexpr const char* kContainerdName = "io.containerd.image.name";
inline constexpr const char* kOciRefName = "org.opencontainers.image.ref.name";

}  // namespace sampan::image
