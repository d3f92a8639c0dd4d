// A container's mounts: volumes come into being when the container is created, and a new one is filled from the image;
// at each start the plans are made again and their sources looked up.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/strings.h"
#include "engine/internal/core.h"
#include "image/archive.h"
#include "snapshot/subtree.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::engine {

namespace {

using container::MountPlan;
using container::MountPoint;

const MountPoint* find_point(const ContainerRecord& record, const std::string& destination) {
  auto it = std::ranges::find(record.mounts, destination, &MountPoint::destination);
  return it == record.mounts.end() ? nullptr : &*it;
}

bool is_empty_dir(const std::string& path) {
  auto names = sys::list_dir(path);
  return names && names->empty();
}

/// The tree at `from` (contents, owner, mode) into the empty directory `to`.
Result<void> copy_tree(const sys::DirFd& from, const std::string& to) {
  auto target = TRY(sys::open_dir(to));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return sys::sys_error("pipe2");
  sys::Fd reading(ends[0]), writing(ends[1]);
  Cancel cancel;
  Result<void> packed;
  std::thread packer([&] {
    sys::FdSink sink(writing.get());
    packed = image::pack_tar(from.get(), "", sink, {}, cancel);
    writing.reset();  // the end of the stream
  });
  sys::FdSource source(reading.get());
  auto unpacked = image::unpack_tar(source, target.get(), {}, cancel);
  if (!unpacked) {
    // The packer must find a reader until it notices.
    cancel.cancel();
    char rest[4096];
    while (source.read(rest).value_or(0) > 0) {
    }
  }
  packer.join();
  if (!unpacked) return std::move(unpacked).error();
  TRY(std::move(packed));
  struct stat info = TRY(sys::stat_fd(from.get()));
  auto fd = TRY(sys::reopen_fd(target.get(), O_RDONLY | O_DIRECTORY));
  if (::fchown(fd.get(), info.st_uid, info.st_gid) != 0) return sys::sys_error("fchown", to);
  if (::fchmod(fd.get(), info.st_mode & 07777) != 0) return sys::sys_error("fchmod", to);
  return {};
}

/// What is the engine's own keeps on disk the ids that containers see; what a user binds is the host's.
oci::Mount mapped(oci::Mount mount, const oci::UserMappings& mappings) {
  mount.uid_mappings = mappings.uids;
  mount.gid_mappings = mappings.gids;
  return mount;
}

/// "container[:ro|rw]"
struct VolumesFrom {
  std::string container;
  std::optional<bool> writable;
};
Result<VolumesFrom> parse_volumes_from(const std::string& text) {
  auto parts = split_once(text, ':');
  if (!parts) return VolumesFrom{text, std::nullopt};
  if (parts->second != "ro" && parts->second != "rw" && parts->second != "z" && parts->second != "Z") {
    return fail(Code::InvalidArgument, "invalid mode: {}", parts->second);
  }
  VolumesFrom out{std::string(parts->first), std::nullopt};
  if (parts->second == "ro") out.writable = false;
  return out;
}

}  // namespace

Result<std::vector<MountPoint>> Core::volumes_from(const container::HostConfig& host) {
  std::vector<MountPoint> out;
  if (!host.volumes_from) return out;
  for (const auto& text : *host.volumes_from) {
    auto from = TRY(parse_volumes_from(text));
    auto other = containers_.get(from.container);
    // A bad request, not "not found": clients would pull the image then.
    if (!other) return fail(Code::InvalidArgument, "{}", other.error().message());
    for (auto point : other->record->mounts) {
      if (point.type == "tmpfs") continue;
      if (from.writable) point.rw = point.rw && *from.writable;
      out.push_back(std::move(point));
    }
  }
  return out;
}

std::vector<Event> Core::volume_events(const ContainerRecord& record, const std::string& action) const {
  std::vector<Event> out;
  for (const auto& point : record.mounts) {
    if (point.type != "volume" || point.name.empty()) continue;
    Attributes attributes = {{"driver", point.driver}, {"container", record.id}};
    if (action == "mount") {
      attributes["destination"] = point.destination;
      attributes["propagation"] = point.propagation;
      attributes["read/write"] = point.rw ? "true" : "false";
    }
    out.push_back(event_of("volume", action, point.name, std::move(attributes)));
  }
  return out;
}

Result<void> Core::create_volume(ContainerRecord& record, MountPlan& plan) {
  bool known = !plan.point.name.empty() && volumes_->get(plan.point.name).has_value();
  auto volume = TRY(volumes_->create(plan.point.name, plan.point.driver, plan.labels, plan.driver_options));
  plan.point.name = volume.name;
  plan.point.driver = volume.driver;
  plan.point.source = volume.mountpoint;
  if (!known) tell(event_of("volume", "create", volume.name, {{"driver", volume.driver}}));
  (void)record;
  return {};
}

/// Nothing of an image mount is made before the start, but what cannot be mounted is refused now.
Result<void> Core::find_image_mount(MountPlan& plan) {
  auto image = images_->get(plan.point.name);
  if (!image) {
    auto reference = oci::parse_reference(plan.point.name);
    if (image.error().code() != Code::NotFound || !reference) return std::move(image).error();
    return fail(Code::NotFound, "No such image: {}", reference->familiar());
  }
  plan.point.source = image->id;
  TRY(resolve_image(plan));
  return {};
}

/// The layers of the image that the record names, wherever its tags point now.
Result<oci::Mount> Core::resolve_image(const MountPlan& plan) {
  auto image = TRY(images_->get(plan.point.source));
  if (!image.top) return fail(Code::InvalidArgument, "image {} has no files to mount", plan.point.name);
  auto mount = TRY_CONTEXT(snapshot::subtree_mount(*snapshots_, *image.top, plan.subpath),
                           fmt::format("image {} subpath \"{}\"", plan.point.name, plan.subpath));
  mount.destination = plan.point.destination;
  return mount;
}

Result<void> Core::create_mounts(ContainerRecord& record, std::vector<MountPlan>& plans) {
  for (auto& plan : plans) {
    if (!plan.from_other && plan.point.type == "image") TRY(find_image_mount(plan));
    if (!plan.from_other && plan.point.type == "volume") TRY(create_volume(record, plan));
    if (plan.point.type == "bind") TRY(mount_source(plan));
    if (!plan.from_other) plan.point.subpath = plan.subpath;
    record.mounts.push_back(plan.point);
  }
  return {};
}

Result<void> Core::fill_volumes(const ContainerRecord& record, const std::vector<MountPlan>& plans) {
  sys::DirFd rootfs;
  for (const auto& plan : plans) {
    bool fill = plan.point.type == "volume" && !plan.from_other && !plan.no_copy && plan.subpath.empty() &&
                is_empty_dir(plan.point.source);
    if (!fill) continue;
    auto volume = volumes_->get(plan.point.name);
    if (!volume || !volume::has_own_files(*volume)) continue;
    if (!rootfs.valid()) {
      auto mount = TRY(snapshots_->mount(SnapshotKey(record.id)));
      rootfs = TRY_CONTEXT(snapshot::open_detached(mount), "open the image to fill volumes");
    }
    auto from = sys::open_dir_in_root(rootfs.get(), plan.point.destination);
    if (!from) continue;  // the image has no such directory
    TRY_CONTEXT(copy_tree(*from, plan.point.source), fmt::format("fill volume {}", plan.point.name));
  }
  return {};
}

/// The directory or file on the host that a plan mounts; makes what `-v` promises to make.
Result<std::string> Core::mount_source(const MountPlan& plan) {
  if (plan.point.type == "bind") {
    if (sys::path_exists(plan.point.source)) return plan.point.source;
    if (!plan.create_source) {
      return fail(Code::InvalidArgument, "invalid mount config for type \"bind\": bind source path does not exist: {}",
                  plan.point.source);
    }
    TRY_CONTEXT(sys::make_dirs(plan.point.source, 0755), "error while creating mount source path");
    return plan.point.source;
  }
  if (plan.subpath.empty()) return plan.point.source;
  // What a volume holds was written by containers: its subpath is resolved inside it, never by name.
  auto volume = TRY(sys::open_dir(plan.point.source));
  auto inside = TRY_CONTEXT(sys::open_in_root(volume.get(), plan.subpath, O_PATH),
                            fmt::format("volume {} subpath", plan.point.name));
  return sys::read_link(fmt::format("/proc/self/fd/{}", inside.get()));
}

Result<std::vector<oci::Mount>> Core::resolve_mounts(const ContainerRecord& record) {
  auto plans = TRY(container::plan_mounts(record.config, record.host_config, {}));
  // Mounts taken over from other containers are in the record only; the others may have gone since.
  for (const auto& point : record.mounts) {
    bool planned = std::ranges::any_of(plans, [&](const auto& p) { return p.point.destination == point.destination; });
    if (planned) continue;
    MountPlan plan;
    plan.point = point;
    plan.subpath = point.subpath;
    plan.from_other = true;
    plans.push_back(std::move(plan));
  }
  std::vector<oci::Mount> out;
  for (auto& plan : plans) {
    if (plan.point.type == "volume") {
      out.push_back(TRY(resolve_volume(record, plan)));
      continue;
    }
    if (plan.point.type == "image") {
      const MountPoint* point = find_point(record, plan.point.destination);
      if (!point) return fail(Code::Internal, "the record has no image for {}", plan.point.destination);
      plan.point.source = point->source;
      out.push_back(mapped(TRY(resolve_image(plan)), mappings_of(record)));
      continue;
    }
    if (plan.point.type == "bind") plan.point.source = TRY(mount_source(plan));
    out.push_back(container::runtime_mount(plan));
  }
  return out;
}

/// The mount of a volume; one that has gone since the container was created comes back empty.
Result<oci::Mount> Core::resolve_volume(const ContainerRecord& record, MountPlan& plan) {
  const MountPoint* point = find_point(record, plan.point.destination);
  if (!point) return fail(Code::Internal, "the record has no volume for {}", plan.point.destination);
  plan.point.name = point->name;
  auto volume = TRY(volumes_->create(point->name, point->driver, plan.labels, plan.driver_options));
  plan.point.source = volume.mountpoint;
  if (volume::has_own_files(volume)) {
    plan.point.source = TRY(mount_source(plan));
    return mapped(container::runtime_mount(plan), mappings_of(record));
  }
  if (!plan.subpath.empty()) {
    return fail(Code::NotImplemented, "VolumeOptions.Subpath is not implemented for volumes with mount options");
  }
  auto mount = TRY(volume::volume_mount(volume));
  mount.destination = plan.point.destination;
  if (!plan.point.rw) mount.options.emplace_back("ro");
  return mount;
}

}  // namespace sampan::engine
