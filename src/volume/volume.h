#pragma once
// volume: named directories that outlive containers: volumes/<name>/_data, driver "local".
//
//   volumes/<name>/_data     the files
//   volumes/.trash/<name>    what is being removed
//
// The record (a document of kind "volume") and the directory are made in this order: directory, record; and removed
// in this one: the directory is renamed, the record deleted, then the files. Files without a record are adopted, since
// they are somebody's data; a record without files gets an empty directory.
//
// Driver options are Docker's for "local": type, device and o, as mount(8) has them. type=none with o=bind makes the
// volume a host directory, type=tmpfs one in memory. Nothing is mounted here: volume_mount() says what a container
// gets, and the runtime mounts that in the container's own namespace.
//
// Threads: any.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "oci/spec.h"
#include "store/store.h"

namespace sampan::volume {

struct VolumeRecord {
  std::string name, driver = "local", mountpoint, created;  // created RFC 3339
  std::map<std::string, std::string> labels, options;
  bool anonymous = false;
};

class Volumes {
 public:
  virtual ~Volumes() = default;
  /// Directories without a record are adopted, records without a directory are given one.
  virtual Result<void> recover() = 0;
  /// Idempotent by name and driver; an empty name makes an anonymous one (64 hexadecimal digits), with Docker's label
  /// com.docker.volume.anonymous; an empty driver is "local".
  /// Errors: InvalidArgument (name, option), NotFound (unknown driver), Conflict (same name, other driver).
  virtual Result<VolumeRecord> create(const std::string& name, const std::string& driver,
                                      const std::map<std::string, std::string>& labels,
                                      const std::map<std::string, std::string>& options) = 0;
  /// Errors: NotFound.
  virtual Result<VolumeRecord> get(const std::string& name) = 0;
  /// By name.
  virtual Result<std::vector<VolumeRecord>> list() = 0;
  /// Whether a container uses it is the caller's to know. Errors: NotFound.
  virtual Result<void> remove(const std::string& name) = 0;
};
/// `root` is the directory volumes/, made when missing.
Result<std::unique_ptr<Volumes>> open_volumes(store::Store& store, const std::string& root);

/// What to mount for the volume; the destination is the caller's. A plain volume is an rbind of its mountpoint; with
/// options it is the tmpfs or the host directory that they name. Pure.
/// Errors: InvalidArgument (the record's options are not valid ones).
Result<oci::Mount> volume_mount(const VolumeRecord& record);
/// True when the files are in the volume's own directory, not where options point: only such a volume is filled from
/// the image, and only its directory shows the files on the host.
bool has_own_files(const VolumeRecord& record);

}  // namespace sampan::volume
