#include "oci/image.h"

#include "base/strings.h"
#include "codec/json.h"
#include "codec/sha256.h"

namespace sampan::oci {

Result<Digest> Digest::parse(std::string_view text) {
  auto parts = split_once(text, ':');
  size_t length = parts && parts->first == "sha256" ? 64 : parts && parts->first == "sha512" ? 128 : 0;
  if (length == 0 || parts->second.size() != length ||
      parts->second.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return fail(Code::InvalidArgument, "invalid digest \"{}\"", text.substr(0, 160));
  }
  return Digest(std::string(text));
}

Digest Digest::of_bytes(std::string_view bytes) {
  return of_sha256_hex(codec::sha256_hex(bytes));
}

Platform host_platform() {
#if defined(__x86_64__)
  return {"linux", "amd64", ""};
#elif defined(__aarch64__)
  return {"linux", "arm64", "v8"};
#elif defined(__riscv)
  return {"linux", "riscv64", ""};
#else
  return {"linux", "unknown", ""};
#endif
}

Result<Platform> parse_platform(std::string_view text) {
  auto parts = split(to_lower(text), '/');
  auto valid = [](const std::string& part) {
    return !part.empty() && part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") == std::string::npos;
  };
  if (parts.size() > 3) return fail(Code::InvalidArgument, "invalid platform \"{}\"", text);
  for (const auto& part : parts) {
    if (!valid(part)) return fail(Code::InvalidArgument, "invalid platform \"{}\"", text);
  }
  Platform out{parts[0], host_platform().architecture, ""};
  if (parts.size() > 1) out.architecture = parts[1];
  if (parts.size() > 2) out.variant = parts[2];
  if (out.architecture == "x86_64" || out.architecture == "x86-64") out.architecture = "amd64";
  if (out.architecture == "aarch64") out.architecture = "arm64";
  return out;
}

std::string format_platform(const Platform& platform) {
  std::string out = platform.os + "/" + platform.architecture;
  if (!platform.variant.empty()) out += "/" + platform.variant;
  return out;
}

bool platform_matches(const Platform& image, const Platform& wanted) {
  if (image.os != wanted.os || image.architecture != wanted.architecture) return false;
  return image.variant.empty() || wanted.variant.empty() || image.variant == wanted.variant;
}

namespace {

/// Refuses documents that another parser could read as another kind.
Result<codec::json::value> parse_document(std::string_view text, std::string_view media_type, const char* needed,
                                          std::initializer_list<const char*> forbidden) {
  auto value = TRY(codec::parse_json(text));
  const auto* object = value.if_object();
  if (!object || !object->contains(needed)) {
    return fail(Code::InvalidArgument, "invalid manifest: no \"{}\" for media type {}", needed, media_type);
  }
  for (const char* key : forbidden) {
    if (object->contains(key)) {
      return fail(Code::InvalidArgument, "ambiguous manifest: both \"{}\" and \"{}\"", needed, key);
    }
  }
  const auto* own = object->if_contains("mediaType");
  if (own && (!own->is_string() || std::string_view(own->get_string()) != media_type)) {
    return fail(Code::InvalidArgument, "manifest says another media type than {}", media_type);
  }
  return value;
}

Result<void> check_descriptor(const Descriptor& descriptor) {
  TRY(Digest::parse(descriptor.digest));
  if (descriptor.size < 0) return fail(Code::InvalidArgument, "descriptor {} has a negative size", descriptor.digest);
  return {};
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view json, std::string_view media_type) {
  auto value = TRY(parse_document(json, media_type, "config", {"manifests", "fsLayers"}));
  Manifest out;
  TRY(codec::read_json(value, out));
  TRY(check_descriptor(out.config));
  for (const auto& layer : out.layers) TRY(check_descriptor(layer));
  out.media_type = media_type;
  return out;
}

Result<Index> parse_index(std::string_view json, std::string_view media_type) {
  auto value = TRY(parse_document(json, media_type, "manifests", {"config", "layers", "fsLayers"}));
  Index out;
  TRY(codec::read_json(value, out));
  for (const auto& entry : out.manifests) TRY(check_descriptor(entry));
  out.media_type = media_type;
  return out;
}

std::string format_manifest(const Manifest& manifest) {
  return codec::to_json(manifest);
}
std::string format_index(const Index& index) {
  return codec::to_json(index);
}

Result<Image> parse_image(std::string_view json) {
  auto image = TRY(codec::from_json<Image>(json));
  for (const auto& id : image.rootfs.diff_ids) TRY(Digest::parse(id));
  return image;
}

std::string format_image(const Image& image) {
  return codec::to_json(image);
}

}  // namespace sampan::oci
