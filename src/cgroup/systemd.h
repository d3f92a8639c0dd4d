#pragma once
// systemd: control groups that systemd owns, for hosts where it wants to be the only writer of the tree.
//
// A container is a transient scope: a unit that systemd makes for processes which somebody else started. A scope must
// have a process from its first moment on and is removed with its last one, but a container's init is to be born in
// its control group. So the scope is started with a placeholder, a child that only waits:
//
//   auto scope = TRY(SystemdScope::start(options));       // placeholder in, unit and directories made
//   options.cgroup_path = scope.path();                   // limits in the files, init born inside, as without systemd
//   ... runtime::create(...) ...
//   TRY(scope.settle());                                  // the placeholder goes, the limit on tasks comes
//
// The limit on tasks comes last because the placeholder would count. A scope that is not settled is stopped again.
// Source: org.freedesktop.systemd1(5), systemd.scope(5), "Control Group APIs and Delegation".

#include <sys/types.h>

#include <map>
#include <string>

#include "base/result.h"
#include "cgroup/cgroup.h"
#include "oci/spec.h"

namespace sampan::cgroup {

/// A unit and where it is.
struct UnitPlace {
  std::string slice;  // "system.slice"
  std::string unit;   // "sampan-<id>.scope"
  std::string path;   // "/system.slice/sampan-<id>.scope", below each hierarchy's root
};
/// "a-b.slice" is at "/a.slice/a-b.slice", "-.slice" at "/". Errors: InvalidArgument.
Result<std::string> expand_slice(const std::string& slice);
/// The specification's cgroupsPath "slice:prefix:name"; empty: scope sampan-<id> in system.slice. Errors:
/// InvalidArgument.
Result<UnitPlace> parse_unit_place(const std::string& cgroups_path, const std::string& id);

struct ScopeOptions {
  UnitPlace place;
  oci::Resources resources;
  std::map<std::string, std::string> annotations;  // org.systemd.property.*
  Version version = Version::V2;
};

class SystemdScope {
 public:
  /// Blocks: until systemd has done the job, at most half a minute.
  /// Errors: Unavailable (no bus, no systemd, or what it said), InvalidArgument.
  /// Threads: single-threaded caller (it forks).
  static Result<SystemdScope> start(const ScopeOptions& options);
  SystemdScope(SystemdScope&& other) noexcept;
  SystemdScope& operator=(SystemdScope&&) = delete;
  ~SystemdScope();

  const std::string& unit() const { return options_.place.unit; }
  const std::string& path() const { return options_.place.path; }
  /// Call it when another process lives in the scope.
  Result<void> settle();

 private:
  SystemdScope(ScopeOptions options, pid_t placeholder) : options_(std::move(options)), placeholder_(placeholder) {}
  void end_placeholder();
  ScopeOptions options_;
  pid_t placeholder_ = -1;  // -1: settled, or moved from
};

/// New limits for a running unit; the files are the caller's to write (Cgroup::update). Errors: as start().
Result<void> update_unit(const std::string& unit, const oci::Resources& resources, Version version);
/// Stops and forgets the unit, and waits for it; one that is not there any more is success.
Result<void> stop_unit(const std::string& unit);

}  // namespace sampan::cgroup
