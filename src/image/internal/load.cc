#include "image/internal/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/archive.h"
#include "image/internal/scratch_file.h"
#include "image/internal/spool.h"
#include "image/internal/streams.h"
#include "sys/error.h"
#include "sys/safe_path.h"

namespace sampan::image {
namespace {

/// What an archive refers to and does not hold is the archive's fault.
Error archive_error(Error error) {
  if (error.code() == Code::NotFound || error.errno_value() == ELOOP || error.errno_value() == ENOTDIR) {
    error = std::move(error).with_code(Code::InvalidArgument);
  }
  return std::move(error).context("invalid archive");
}

Result<sys::Fd> open_regular(int root, const std::string& path, int64_t& size) {
  auto file = sys::open_in_root(root, path, O_RDONLY | O_NONBLOCK);  // a FIFO must not hold us
  if (!file) return archive_error(std::move(file).error());
  struct stat info;
  if (::fstat(file->get(), &info) < 0) return sys::sys_error("stat", path);
  if (!S_ISREG(info.st_mode)) return fail(Code::InvalidArgument, "invalid archive: \"{}\" is not a file", path);
  size = info.st_size;
  return file;
}

std::string compression_type(int fd) {
  unsigned char magic[4] = {};
  if (::pread(fd, magic, sizeof magic, 0) != sizeof magic) return {};
  if (magic[0] == 0x1f && magic[1] == 0x8b) return std::string(oci::media::kDockerLayerGzip);
  if (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd)
    return std::string(oci::media::kOciLayerZstd);
  return {};
}

Result<void> load_images(Core& core, ByteSource& archive, Reporter& reporter, const Cancel& cancel,
                         std::vector<std::string>& loaded) {
  ScratchFile scratch(core.blobs.fresh_name("load"));
  TRY(sys::make_dirs(scratch.path()));
  auto root = TRY(sys::open_file(scratch.path(), O_RDONLY | O_DIRECTORY));
  auto inflated = make_decompressor(archive);
  auto unpacked = unpack_tar(*inflated, root.get(), {.max_bytes = core.blobs.free_bytes()}, cancel);
  if (!unpacked) return std::move(unpacked).error().context("invalid archive");
  Loader loader(core, root.get(), reporter, cancel);
  std::vector<ArchivedImage> images;
  if (loader.has("manifest.json"))
    images = TRY(read_docker_archive(loader));
  else if (loader.has("index.json"))
    images = TRY(read_oci_layout(loader));
  else
    return fail(Code::InvalidArgument, "invalid archive: does not contain a manifest.json");
  for (const auto& image : images) {
    for (auto& name : TRY(loader.add(image))) loaded.push_back(std::move(name));
  }
  return {};
}

}  // namespace

bool Loader::has(const std::string& path) {
  return sys::open_in_root(root_, path, O_PATH).has_value();
}

Result<std::string> Loader::read(const std::string& path, size_t limit) {
  auto text = sys::read_file_in_root(root_, path, limit);
  if (!text) return archive_error(std::move(text).error());
  return text;
}

Result<LayerBlob> Loader::take_file(const std::string& path, const std::string& digest, const std::string& to) {
  int64_t size = 0;
  auto file = TRY(open_regular(root_, path, size));
  sys::FdSource raw(file.get());
  std::string id = short_id(digest.empty() ? path : digest);
  HashingSource source(raw, cancel_);
  std::string type = compression_type(file.get());
  if (type.empty()) {
    auto inflated = make_decompressor(source);
    return TRY(spool_layer(*inflated, to, cancel_)).blob;
  }
  auto out = TRY(sys::open_file(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  sys::FdSink sink(out.get());
  TRY(copy_stream(source, sink, cancel_));
  LayerBlob blob{to, "", source.bytes(), type};
  blob.digest = source.digest();
  if (!digest.empty() && blob.digest != digest) {
    return fail(Code::InvalidArgument, "invalid archive: \"{}\" has the digest {}, not {}", path, blob.digest, digest);
  }
  return blob;
}

Result<void> Loader::add_layer(const LayerPlace& place, const std::string& path, const std::string& digest) {
  auto held = TRY(core_.layers.lock_chain(place.chain_id, cancel_));
  if (TRY(core_.layers.find(place.chain_id))) return {};
  ScratchFile file(core_.blobs.fresh_name("layer"));
  auto blob = TRY(take_file(path, digest, file.path()));
  const std::string id = short_id(place.diff_id);
  auto on_bytes = [&](int64_t current) { reporter_.bytes(id, "Loading layer", current, blob.size); };
  auto added = core_.layers.add(place, blob, on_bytes, cancel_);
  if (!added && added.error().code() == Code::DataLoss)
    return std::move(added).error().with_code(Code::InvalidArgument);
  return added;
}

Result<std::vector<std::string>> Loader::add_names(const std::string& id, const std::vector<oci::Reference>& names) {
  std::vector<std::string> out;
  for (const auto& reference : names) {
    auto before = TRY(core_.tables.find_named(reference));
    if (before && *before != id) {
      reporter_.line(
          {.stream = fmt::format("The image {} already exists, renaming the old one with ID {} to empty string\n",
                                 reference.familiar(), *before)});
    }
    TRY(core_.tables.put_tag(reference, id));
    out.push_back(reference.familiar());
    reporter_.line({.stream = fmt::format("Loaded image: {}\n", reference.familiar())});
  }
  if (names.empty()) {
    out.push_back(id);
    reporter_.line({.stream = fmt::format("Loaded image ID: {}\n", id)});
  }
  return out;
}

Result<std::vector<std::string>> Loader::add(const ArchivedImage& image) {
  auto config = TRY_CONTEXT(oci::parse_image(image.config_json), "invalid archive: image configuration");
  if (!config.os.empty() && config.os != "linux")
    return fail(Code::InvalidArgument, "cannot load {} image on linux", config.os);
  if (config.rootfs.diff_ids.size() != image.layers.size() || image.layers.size() > kMaxLayers) {
    return fail(Code::InvalidArgument, "invalid archive: {} layers, but the configuration names {}",
                image.layers.size(), config.rootfs.diff_ids.size());
  }
  std::vector<oci::Reference> names;
  for (const auto& name : image.names) {
    auto reference = TRY_CONTEXT(oci::parse_reference(name), "invalid archive: " + name.substr(0, 256));
    if (!reference.digest.empty()) return fail(Code::InvalidArgument, "invalid archive: invalid tag \"{}\"", name);
    names.push_back(std::move(reference));
  }
  auto places = places_of(config.rootfs.diff_ids);
  std::vector<std::string> keys;
  for (const auto& place : places) keys.push_back(place.chain_id);
  auto lease = core_.layers.lease(keys);
  for (size_t i = 0; i < places.size(); ++i) {
    TRY(add_layer(places[i], image.layers[i], image.digests.empty() ? "" : image.digests[i]));
  }
  auto id = TRY(put_image(core_, image.config_json, "", [&](const std::string& image_id) -> Result<void> {
    for (auto row : image.manifests) {
      row.image_id = image_id;
      TRY(core_.tables.put_manifest(row));
    }
    return {};
  }));
  return add_names(id, names);
}

Result<std::vector<std::string>> load_archive(Core& core, ByteSource& archive, const ProgressSink& progress,
                                              const Cancel& cancel) {
  Reporter reporter(progress);
  std::vector<std::string> loaded;
  auto result = load_images(core, archive, reporter, cancel, loaded);
  if (!result) {
    (void)collect_layers(core);  // what the broken archive brought; recover() would find the rest
    return std::move(result).error();
  }
  return loaded;
}

}  // namespace sampan::image
