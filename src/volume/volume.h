#pragma once
// volume: named directories that outlive containers: volumes/<name>/_data, driver "local".

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
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
  /// Idempotent by name and driver; an empty name makes an anonymous one (64 hexadecimal digits).
  /// Errors: InvalidArgument (name, option, unknown driver), Conflict (same name, other driver).
  virtual Result<VolumeRecord> create(const std::string& name, const std::string& driver,
                                      const std::map<std::string, std::string>& labels,
                                      const std::map<std::string, std::string>& options) = 0;
  virtual Result<VolumeRecord> get(const std::string& name) = 0;
  virtual Result<std::vector<VolumeRecord>> list() = 0;
  virtual Result<void> remove(const std::string& name) = 0;
};
Result<std::unique_ptr<Volumes>> open_volumes(store::Store& store, const std::string& root);

}  // namespace sampan::volume
