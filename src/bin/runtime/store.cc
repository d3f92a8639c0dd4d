#include "bin/runtime/store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "cgroup/cgroup.h"
#include "codec/json.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/packet.h"

namespace sampan::bin {

Result<void> check_id(const std::string& id) {
  bool valid = !id.empty() && id != "." && id != ".." && id.size() <= 1024;
  for (char c : id)
    valid = valid && (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '+' || c == '-' || c == '.');
  if (!valid) return fail(Code::InvalidArgument, "invalid container ID format: {}", id);
  return {};
}

std::string_view status_name(Status status) {
  switch (status) {
    case Status::Created:
      return "created";
    case Status::Running:
      return "running";
    case Status::Paused:
      return "paused";
    case Status::Stopped:
      break;
  }
  return "stopped";
}

uint64_t process_start(pid_t pid) {
  auto text = sys::read_file(fmt::format("/proc/{}/stat", pid), 4096);
  if (!text) return 0;
  // The name in parentheses may hold anything; the fields after the last one are plain: state is the first of them,
  // the start time the twentieth.
  size_t close = text->rfind(')');
  if (close == std::string::npos) return 0;
  auto fields = split(trim(std::string_view(*text).substr(close + 1)), ' ');
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return 0;
  return parse_uint(fields[19]).value_or(0);
}

Result<void> Store::claim(const std::string& id, const std::string& cgroup_path) const {
  TRY(check_id(id));
  TRY(sys::make_dirs(root_, 0700));
  if (::mkdir(dir(id).c_str(), 0711) != 0) {
    if (errno == EEXIST) return fail(Code::Conflict, "container with given ID already exists");
    return sys::sys_error("mkdir", dir(id));
  }
  if (::symlink(cgroup_path.c_str(), (dir(id) + "/cgroup").c_str()) == 0) return {};
  Error error = sys::sys_error("symlink", dir(id) + "/cgroup");
  (void)forget(id);  // the first error is the one to tell
  return error;
}

std::string Store::claimed_cgroup(const std::string& id) const {
  return sys::read_link(dir(id) + "/cgroup").value_or("");
}

void remember_spec(Record& record, const oci::Spec& spec) {
  record.oci_version = spec.oci_version;
  record.annotations = spec.annotations;
  if (spec.hooks) {
    record.poststart = spec.hooks->poststart;
    record.poststop = spec.hooks->poststop;
  }
  record.asks_agent = spec.linux_ && spec.linux_->seccomp && !spec.linux_->seccomp->listener_path.empty();
}

Result<void> Store::save(const Record& record, const oci::Spec& spec) const {
  std::string text = codec::to_json(record) + "\n" + oci::format_spec(spec) + "\n";
  return sys::replace_file(dir(record.id) + "/state.json", text, 0600, sys::Durable::No);
}

Result<std::string> Store::read_state(const std::string& id) const {
  TRY(check_id(id));
  auto text = sys::read_file(dir(id) + "/state.json");
  if (!text && text.error().errno_value() == ENOENT) return fail(Code::NotFound, "container does not exist");
  return text;
}

Result<Record> Store::load(const std::string& id) const {
  std::string text = TRY(read_state(id));
  return TRY_CONTEXT(codec::from_json<Record>(std::string_view(text).substr(0, text.find('\n'))), "state.json");
}

Result<oci::Spec> Store::load_spec(const std::string& id) const {
  std::string text = TRY(read_state(id));
  size_t line = std::min(text.find('\n'), text.size());
  return TRY_CONTEXT(oci::parse_spec(trim(std::string_view(text).substr(line))), "state.json");
}

std::vector<std::string> Store::ids() const {
  std::vector<std::string> out;
  auto names = sys::list_dir(root_);
  if (!names) return out;
  for (const auto& name : *names)
    if (sys::path_exists(dir(name) + "/state.json")) out.push_back(name);
  return out;
}

Result<void> Store::forget(const std::string& id) const {
  return sys::remove_tree(dir(id));
}

Result<sys::Fd> Store::listen_for_start(const std::string& id) const {
  auto where = TRY(sys::open_dir(dir(id)));
  return sys::listen_packets(where.get(), "start.sock");
}

Result<sys::Fd> Store::connect_to_start(const std::string& id) const {
  auto where = TRY(sys::open_dir(dir(id)));
  return sys::connect_packets(where.get(), "start.sock");
}

void Store::start_done(const std::string& id) const {
  (void)sys::remove_file(dir(id) + "/start.sock");
}

Result<Status> Store::status(const Record& record) const {
  if (record.pid <= 0 || process_start(record.pid) != record.pid_start) return Status::Stopped;
  if (sys::path_exists(dir(record.id) + "/start.sock")) return Status::Created;
  auto host = TRY(cgroup::detect_host());
  return TRY(cgroup::Cgroup::open(host, record.cgroup_path).is_frozen()) ? Status::Paused : Status::Running;
}

}  // namespace sampan::bin
