#pragma once
// What sampan-runtime remembers of a container between two of its commands: <root>/<id>/state.json, and beside it
// start.sock as long as init waits for its start. A directory without a state is a create that was cut off; its link
// "cgroup" tells `delete --force` where the control groups and the processes of that create are.
//
// state.json is two lines, each a JSON document: the Record, which every command reads, and the specification, ten
// times as long, which only a few need (exec, update, checkpoint): to parse it is most of what a short command would
// do.

#include <boost/describe/class.hpp>

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/json_style.h"
#include "oci/spec.h"
#include "sys/fd.h"

namespace sampan::bin {

struct Record {
  std::string id;
  pid_t pid = 0;
  uint64_t pid_start = 0;  // start time of the process, in clock ticks: tells a reused pid
  std::string bundle, rootfs;
  std::string created;  // RFC 3339
  std::string cgroup_path;
  std::string systemd_unit;  // the scope that has the cgroup, where systemd owns it
  uint32_t owner_uid = 0;
  // Of the specification, what short commands need.
  std::string oci_version;
  std::map<std::string, std::string> annotations;
  std::vector<oci::Hook> poststart, poststop;
  bool asks_agent = false;  // its seccomp section names a listener, which start hands over
};
BOOST_DESCRIBE_STRUCT(Record, (),
                      (id, pid, pid_start, bundle, rootfs, created, cgroup_path, systemd_unit, owner_uid, oci_version,
                       annotations, poststart, poststop, asks_agent))
constexpr codec::JsonStyle json_style(const Record*) {
  return {codec::Naming::Camel, codec::Emit::NonEmpty, {}};
}

enum class Status { Created, Running, Paused, Stopped };
std::string_view status_name(Status status);

class Store {
 public:
  explicit Store(std::string root) : root_(std::move(root)) {}
  const std::string& root() const { return root_; }
  std::string dir(const std::string& id) const { return root_ + "/" + id; }

  /// Claims the id by making its directory. Errors: Conflict when it is taken, InvalidArgument.
  Result<void> claim(const std::string& id, const std::string& cgroup_path) const;
  /// What claim() was told; empty when it was cut off before it wrote that down.
  std::string claimed_cgroup(const std::string& id) const;
  Result<void> save(const Record& record, const oci::Spec& spec) const;
  /// Errors: NotFound with runc's words.
  Result<Record> load(const std::string& id) const;
  Result<oci::Spec> load_spec(const std::string& id) const;
  std::vector<std::string> ids() const;
  /// What is left after an error is a claim that `delete --force` removes.
  Result<void> forget(const std::string& id) const;

  /// The listener that a created init waits on, and a connection to it.
  Result<sys::Fd> listen_for_start(const std::string& id) const;
  Result<sys::Fd> connect_to_start(const std::string& id) const;
  void start_done(const std::string& id) const;
  Result<Status> status(const Record& record) const;

 private:
  /// Errors: as load().
  Result<std::string> read_state(const std::string& id) const;
  std::string root_;
};

/// Copies what a record holds of the specification.
void remember_spec(Record& record, const oci::Spec& spec);
/// Errors: InvalidArgument.
Result<void> check_id(const std::string& id);
/// Start time of a process, 0 when there is none (or only a zombie).
uint64_t process_start(pid_t pid);

/// Forgets the id again unless keep() is reached.
class Claim {
 public:
  Claim(const Store& store, std::string id) : store_(store), id_(std::move(id)) {}
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  void keep() { kept_ = true; }
  Result<void> forget() {
    kept_ = true;
    return store_.forget(id_);
  }
  ~Claim() {
    if (!kept_) (void)store_.forget(id_);  // a leftover answers "already exists"
  }

 private:
  const Store& store_;
  std::string id_;
  bool kept_ = false;
};

}  // namespace sampan::bin
