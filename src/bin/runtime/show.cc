// state, list, ps, events, features, spec.
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "bin/runtime/default_spec.h"
#include "cgroup/cgroup.h"
#include "codec/json.h"
#include "sys/credentials.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

namespace json = codec::json;

constexpr Flag kListFlags[] = {{"format", "f", Takes::Value, "select one of: table or json"},
                               {"quiet", "q", Takes::Nothing, "display only container IDs"}};
constexpr Flag kPsFlags[] = {{"format", "f", Takes::Value, "select one of: table or json"}};
constexpr Flag kEventsFlags[] = {{"stats", "", Takes::Nothing, "display the container's stats then exit"},
                                 {"interval", "", Takes::Value, "seconds between two samples (default 5)"}};
constexpr Flag kSpecFlags[] = {{"bundle", "b", Takes::Value, "path to the root of the bundle directory"}};

void print(std::string_view text) {
  (void)sys::write_all(1, text);
}  // a reader that has gone wants no more

json::object summary(const Store& store, const Record& record) {
  json::object out;
  auto status = store.status(record);
  bool stopped = !status || *status == Status::Stopped;
  out["ociVersion"] = record.spec.oci_version;
  out["id"] = record.id;
  out["pid"] = stopped ? 0 : record.pid;
  out["status"] = status_name(status ? *status : Status::Stopped);
  out["bundle"] = record.bundle;
  out["rootfs"] = record.rootfs;
  out["created"] = record.created;
  if (!record.spec.annotations.empty()) out["annotations"] = codec::write_json(record.spec.annotations);
  out["owner"] = record.owner_uid == 0 ? "root" : std::to_string(record.owner_uid);
  return out;
}

Result<int> state(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  print(codec::format_json_pretty(summary(context.store, record), 2) + "\n");
  return 0;
}

std::string cell(const json::object& row, const char* key) {
  const auto& value = row.at(key);
  return value.is_string() ? std::string(value.get_string()) : std::to_string(value.to_number<int64_t>());
}

Result<int> list(Context& context) {
  json::array rows;
  for (const auto& id : context.store.ids())
    if (auto record = context.store.load(id)) rows.push_back(summary(context.store, *record));
  std::string format = context.args.get("format", "table");
  if (context.args.has("quiet")) {
    for (const auto& row : rows) print(cell(row.as_object(), "id") + "\n");
  } else if (format == "json") {
    print(codec::format_json(rows) + "\n");
  } else if (format == "table") {
    size_t width = 4;
    for (const auto& row : rows) width = std::max(width, cell(row.as_object(), "id").size());
    print(
        fmt::format("{:<{}}  {:<11} {:<11} {:<24} {:<31} OWNER\n", "ID", width, "PID", "STATUS", "BUNDLE", "CREATED"));
    for (const auto& item : rows) {
      const auto& row = item.as_object();
      print(fmt::format("{:<{}}  {:<11} {:<11} {:<24} {:<31} {}\n", cell(row, "id"), width, cell(row, "pid"),
                        cell(row, "status"), cell(row, "bundle"), cell(row, "created"), cell(row, "owner")));
    }
  } else {
    return fail(Code::InvalidArgument, "invalid format option");
  }
  return 0;
}

std::string command_line(pid_t pid) {
  auto text = sys::read_file(fmt::format("/proc/{}/cmdline", pid), 4096);
  if (!text || text->empty()) {
    auto name = sys::read_file(fmt::format("/proc/{}/comm", pid), 4096);
    return name ? "[" + std::string(trim(*name)) + "]" : "";
  }
  std::replace(text->begin(), text->end(), '\0', ' ');
  return std::string(trim(*text));
}

std::string status_line(pid_t pid, std::string_view key) {
  auto text = sys::read_file(fmt::format("/proc/{}/status", pid), 65536);
  if (!text) return {};
  for (const auto& line : split(*text, '\n'))
    if (line.starts_with(key)) return std::string(trim(std::string_view(line).substr(key.size())));
  return {};
}

Result<int> ps(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  auto host = TRY(cgroup::detect_host());
  auto pids = TRY(cgroup::Cgroup::open(host, record.cgroup_path).processes());
  if (context.args.get("format") == "json") {
    json::array out;
    for (pid_t pid : pids) out.push_back(pid);
    print(codec::format_json(out) + "\n");
    return 0;
  }
  print("UID          PID    PPID CMD\n");
  for (pid_t pid : pids) {
    std::string uid = status_line(pid, "Uid:");
    print(fmt::format("{:<10} {:>5} {:>7} {}\n", uid.substr(0, uid.find('\t')), pid, status_line(pid, "PPid:"),
                      command_line(pid)));
  }
  return 0;
}

json::array io_entries(const std::vector<cgroup::BlkioEntry>& entries) {
  json::array out;
  for (const auto& entry : entries)
    out.push_back({{"major", entry.major}, {"minor", entry.minor}, {"op", entry.op}, {"value", entry.value}});
  return out;
}

json::object stats_event(const std::string& id, const cgroup::Stats& stats) {
  json::object cpu = {{"usage",
                       {{"total", stats.cpu_total},
                        {"percpu", codec::write_json(stats.cpu_percpu)},
                        {"kernel", stats.cpu_system},
                        {"user", stats.cpu_user}}},
                      {"throttling",
                       {{"periods", stats.throttle_periods},
                        {"throttledPeriods", stats.throttled_periods},
                        {"throttledTime", stats.throttled_time}}}};
  json::object memory = {{"usage",
                          {{"limit", stats.memory_limit},
                           {"usage", stats.memory_usage},
                           {"max", stats.memory_max_usage},
                           {"failcnt", stats.memory_failcnt}}},
                         {"raw", codec::write_json(stats.memory_stat)}};
  json::object pids = {{"current", stats.pids_current}, {"limit", stats.pids_limit}};
  json::object blkio = {{"ioServiceBytesRecursive", io_entries(stats.io_service_bytes)},
                        {"ioServicedRecursive", io_entries(stats.io_serviced)}};
  json::object data = {{"cpu", cpu}, {"memory", memory}, {"pids", pids}, {"blkio", blkio}};
  return {{"type", "stats"}, {"id", id}, {"data", data}};
}

Result<int> events(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  if (TRY(context.store.status(record)) == Status::Stopped)
    return fail(Code::Conflict, "container with id {} is not running", record.id);
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record.cgroup_path);
  auto seconds = TRY(context.args.number("interval")).value_or(5);
  if (seconds <= 0) return fail(Code::InvalidArgument, "duration interval must be greater than 0");
  auto init = TRY(sys::open_pidfd(record.pid));
  uint64_t struck = TRY(cgroups.oom_kills());
  for (;;) {
    print(codec::format_json(stats_event(record.id, TRY(cgroups.stats()))) + "\n");
    if (context.args.has("stats")) return 0;
    if (TRY(sys::wait_exited(init, std::chrono::seconds(seconds)))) return 0;
    uint64_t now = TRY(cgroups.oom_kills());
    if (now > struck) print(codec::format_json(json::object{{"type", "oom"}, {"id", record.id}}) + "\n");
    struck = now;
  }
}

Result<int> features(Context&) {
  json::array capabilities;
  for (unsigned i = 0; !sys::capability_name(i).empty(); ++i) capabilities.emplace_back(sys::capability_name(i));
  json::object seccomp = {
      {"enabled", true},
      {"actions",
       {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"}},
      {"knownFlags", {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"}}};
  json::object linux_part = {
      {"namespaces", {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}},
      {"capabilities", capabilities},
      {"cgroup", {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", true}}},
      {"seccomp", seccomp},
      {"apparmor", {{"enabled", true}}},
      {"selinux", {{"enabled", true}}},
      {"mountExtensions", {{"idmap", {{"enabled", true}}}}}};
  json::object out = {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", "1.2.0"},
      {"hooks", {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
      {"linux", linux_part},
      {"annotations", {{"org.sampan.version", SAMPAN_VERSION}}}};
  print(codec::format_json_pretty(out, 2) + "\n");
  return 0;
}

Result<int> spec(Context& context) {
  std::string file = context.args.get("bundle", ".") + "/config.json";
  if (sys::path_exists(file)) return fail(Code::AlreadyExists, "File {} exists. Remove it first", file);
  auto value = TRY(codec::parse_json(oci::format_spec(default_spec())));
  TRY(sys::replace_file(file, codec::format_json_pretty(value, 2) + "\n", 0666, sys::Durable::No));
  return 0;
}

constexpr Command kCommands[] = {
    {"state", "<container-id>", "output the state of a container", {}, state},
    {"list", "", "list containers started by sampan-runtime with the given root", kListFlags, list},
    {"ps", "<container-id>", "display the processes running inside a container", kPsFlags, ps},
    {"events", "<container-id>", "display container events such as OOM notifications and usage statistics",
     kEventsFlags, events},
    {"features", "", "show the enabled features", {}, features},
    {"spec", "", "create a new specification file", kSpecFlags, spec},
};

}  // namespace

std::span<const Command> show_commands() {
  return kCommands;
}

}  // namespace sampan::bin
