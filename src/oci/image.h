#pragma once
// oci/image: image configuration, manifests and indexes, digests and platforms as values; Docker's schema 2 and OCI's
// image-spec share them. Source: OCI image-spec 1.1 config.md, manifest.md, image-index.md; Docker image spec v1.2.

#include <boost/describe/class.hpp>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/json_style.h"

namespace sampan::oci {

/// "sha256:<64 hex>" or "sha512:<128 hex>", checked when it is made: safe in a path.
class Digest {
 public:
  Digest() = default;
  /// Errors: InvalidArgument.
  static Result<Digest> parse(std::string_view text);
  static Digest of_sha256_hex(std::string hex) { return Digest("sha256:" + std::move(hex)); }
  static Digest of_bytes(std::string_view bytes);
  const std::string& str() const { return text_; }
  std::string algorithm() const { return text_.substr(0, text_.find(':')); }
  std::string hex() const { return text_.substr(text_.find(':') + 1); }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;
  auto operator<=>(const Platform&) const = default;
};
/// The machine this program runs on ("linux/amd64").
Platform host_platform();
/// "os[/arch[/variant]]". Errors: InvalidArgument.
Result<Platform> parse_platform(std::string_view text);
std::string format_platform(const Platform& platform);
/// True when an image for `image` runs where `wanted` is asked for (an empty variant matches any).
bool platform_matches(const Platform& image, const Platform& wanted);

struct Descriptor {
  std::string media_type;
  std::string digest;
  int64_t size = 0;
  std::vector<std::string> urls;
  std::map<std::string, std::string> annotations;
  std::optional<Platform> platform;
};

namespace media {
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kOciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
}  // namespace media

struct Manifest {
  int schema_version = 2;
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::map<std::string, std::string> annotations;
};
struct Index {
  int schema_version = 2;
  std::string media_type;
  std::vector<Descriptor> manifests;
  std::map<std::string, std::string> annotations;
};
/// Parses by the declared media type; a document that is valid as two kinds is refused (CVE-2021-41190).
Result<Manifest> parse_manifest(std::string_view json, std::string_view media_type);
Result<Index> parse_index(std::string_view json, std::string_view media_type);
std::string format_manifest(const Manifest& manifest);
std::string format_index(const Index& index);

/// HEALTHCHECK; durations in nanoseconds, 0 inherits.
struct HealthConfig {
  std::vector<std::string> test;  // {} inherit, {"NONE"}, {"CMD", ...}, {"CMD-SHELL", line}
  int64_t interval = 0, timeout = 0, start_period = 0, start_interval = 0;
  int64_t retries = 0;
};
/// The image's part of a container's configuration ("config" in the image configuration).
struct ImageConfig {
  std::string user;
  std::set<std::string> exposed_ports;
  std::vector<std::string> env;
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  std::optional<HealthConfig> healthcheck;
  std::set<std::string> volumes;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::vector<std::string> on_build;
  std::optional<std::vector<std::string>> shell;
  bool args_escaped = false;
};
struct RootFs {
  std::string type = "layers";
  std::vector<std::string> diff_ids;
};
struct History {
  std::string created;  // RFC 3339
  std::string created_by, author, comment;
  bool empty_layer = false;
};
/// The image configuration document; its digest is the image's Id.
struct Image {
  std::string created;  // RFC 3339
  std::string author, architecture, os, variant;
  ImageConfig config;
  RootFs rootfs;
  std::vector<History> history;
  std::string docker_version, container;
};
Result<Image> parse_image(std::string_view json);
std::string format_image(const Image& image);

BOOST_DESCRIBE_STRUCT(Platform, (), (os, architecture, variant))
BOOST_DESCRIBE_STRUCT(Descriptor, (), (media_type, digest, size, urls, annotations, platform))
BOOST_DESCRIBE_STRUCT(Manifest, (), (schema_version, media_type, config, layers, annotations))
BOOST_DESCRIBE_STRUCT(Index, (), (schema_version, media_type, manifests, annotations))
BOOST_DESCRIBE_STRUCT(HealthConfig, (), (test, interval, timeout, start_period, start_interval, retries))
BOOST_DESCRIBE_STRUCT(ImageConfig, (),
                      (user, exposed_ports, env, entrypoint, cmd, healthcheck, volumes, working_dir, labels,
                       stop_signal, on_build, shell, args_escaped))
BOOST_DESCRIBE_STRUCT(RootFs, (), (type, diff_ids))
BOOST_DESCRIBE_STRUCT(History, (), (created, created_by, author, comment, empty_layer))
BOOST_DESCRIBE_STRUCT(Image, (),
                      (created, author, architecture, os, variant, config, rootfs, history, docker_version, container))

inline codec::JsonStyle json_style(const Platform*) {
  return {codec::Naming::Camel, codec::Emit::NonEmpty};
}
inline codec::JsonStyle json_style(const Descriptor*) {
  return {codec::Naming::Camel, codec::Emit::NonEmpty};
}
inline codec::JsonStyle json_style(const Manifest*) {
  return {codec::Naming::Camel, codec::Emit::NonEmpty};
}
inline codec::JsonStyle json_style(const Index*) {
  return {codec::Naming::Camel, codec::Emit::NonEmpty};
}
inline codec::JsonStyle json_style(const HealthConfig*) {
  return {codec::Naming::Pascal, codec::Emit::NonEmpty};
}
inline codec::JsonStyle json_style(const ImageConfig*) {
  return {codec::Naming::Pascal, codec::Emit::NonEmpty};
}
inline codec::JsonStyle json_style(const RootFs*) {
  return {codec::Naming::Snake, codec::Emit::All};
}
inline codec::JsonStyle json_style(const History*) {
  return {codec::Naming::Snake, codec::Emit::NonEmpty};
}
inline codec::JsonStyle json_style(const Image*) {
  return {codec::Naming::Snake, codec::Emit::NonEmpty};
}

}  // namespace sampan::oci
