#pragma once
// cdi: devices that their vendors describe in files, and what a container needs to use them.
//
// The Container Device Interface: a file in /etc/cdi or /var/run/cdi, JSON or YAML, names a kind ("vendor.com/class")
// and its devices. A device is asked for by its whole name, "vendor.com/class=name", and stands for edits of the
// container: environment, device nodes, mounts, hooks, groups.
//
//   Catalog catalog = read_catalog(dirs);                 // every file, each time: they are few, and can change
//   TRY(inject(catalog, {"acme.com/card=0"}, spec));      // the file's own edits once, then the device's
//
// Law: a later directory wins over an earlier one; a device that two files of one directory describe is nobody's. A
// file that is wrong costs its own devices and nothing else: what is wrong stands in the catalog's problems, one line
// a file, which name the file and the member.
//
// Source: CDI specification 0.3.0 to 1.0.0.
// Threads: any; blocks on reading small files.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cdi/spec_file.h"
#include "oci/spec.h"

namespace sampan::cdi {

inline constexpr const char* kDefaultDirs[] = {"/etc/cdi", "/var/run/cdi"};

struct Catalog {
  struct Entry {
    size_t file = 0;    // in `files`
    size_t device = 0;  // in its devices
  };
  std::vector<SpecFile> files;           // those that are good
  std::map<std::string, Entry> devices;  // by whole name
  std::vector<std::string> problems;
  /// Whether any device of the kind "vendor.com/class" is there.
  bool has_kind(const std::string& kind) const;
};
/// Missing directories are empty ones.
Catalog read_catalog(std::span<const std::string> dirs);

/// "vendor.com/class=name".
bool is_device_name(std::string_view text);

/// Makes the edits of the devices. Errors: InvalidArgument `unresolvable CDI devices a, b`; what a device needs and
/// cannot have (a node that is missing on the host, intelRdt). The specification may be half changed then.
Result<void> inject(const Catalog& catalog, std::span<const std::string> names, oci::Spec& spec);

}  // namespace sampan::cdi
