// state, list, ps, spec.
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "bin/runtime/default_spec.h"
#include "cgroup/cgroup.h"
#include "codec/json.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

namespace json = codec::json;

constexpr Flag kListFlags[] = {{"format", "f", Takes::Value, "select one of: table or json"},
                               {"quiet", "q", Takes::Nothing, "display only container IDs"}};
constexpr Flag kPsFlags[] = {{"format", "f", Takes::Value, "select one of: table or json"}};
constexpr Flag kSpecFlags[] = {{"bundle", "b", Takes::Value, "path to the root of the bundle directory"},
                               {"rootless", "", Takes::Nothing, "generate a configuration for a rootless container"}};

/// As the reference has it: "#1000" is a user without a name.
std::string name_of_user(uint32_t uid) {
  std::string number = std::to_string(uid);
  for (const auto& line : split(sys::read_file("/etc/passwd").value_or(""), '\n')) {
    auto fields = split(line, ':');
    if (fields.size() > 2 && fields[2] == number) return fields[0];
  }
  return "#" + number;
}

json::object summary(const Store& store, const Record& record) {
  json::object out;
  auto status = store.status(record);
  bool stopped = !status || *status == Status::Stopped;
  out["ociVersion"] = record.oci_version;
  out["id"] = record.id;
  out["pid"] = stopped ? 0 : record.pid;
  out["status"] = status_name(status ? *status : Status::Stopped);
  out["bundle"] = record.bundle;
  out["rootfs"] = record.rootfs;
  out["created"] = record.created;
  if (!record.annotations.empty()) out["annotations"] = codec::write_json(record.annotations);
  out["owner"] = record.owner_uid == 0 ? "root" : name_of_user(record.owner_uid);
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

/// Columns as wide as their widest cell and three blanks, at least twelve; the last one as it comes.
void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows[0].size(), 12);
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + 3);
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i + 1 < row.size(); ++i) line += fmt::format("{:<{}}", row[i], widths[i]);
    print(line + row.back() + "\n");
  }
}

Result<int> list(Context& context) {
  json::array rows;
  for (const auto& id : context.store.ids())
    if (auto record = context.store.load(id)) rows.push_back(summary(context.store, *record));
  std::string format = context.args.get("format", "table");
  if (format != "table" && format != "json") return fail(Code::InvalidArgument, "invalid format option");
  if (context.args.has("quiet")) {
    for (const auto& row : rows) print(cell(row.as_object(), "id") + "\n");
  } else if (format == "json") {
    print(rows.empty() ? "null" : codec::format_json(rows));
  } else {
    std::vector<std::vector<std::string>> table = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const auto& row : rows) {
      auto& cells = table.emplace_back();
      for (const char* key : {"id", "pid", "status", "bundle", "created", "owner"})
        cells.push_back(cell(row.as_object(), key));
    }
    print_table(table);
  }
  return 0;
}

/// What ps(1) of the host prints for these options.
Result<std::string> run_ps(const std::vector<std::string>& options) {
  std::vector<char*> argv = {const_cast<char*>("ps")};
  for (const auto& option : options) argv.push_back(const_cast<char*>(option.c_str()));
  argv.push_back(nullptr);
  auto [reader, writer] = TRY(sys::make_pipe());
  auto child = TRY(sys::clone_process({}));
  if (child.pid == 0) {
    if (::dup2(writer.get(), 1) == 1 && ::dup2(writer.get(), 2) == 2) ::execvp("ps", argv.data());
    ::_exit(127);
  }
  writer.reset();
  auto text = sys::read_fd(reader.get());
  auto status = TRY(sys::reap(child.pid));
  std::string output = TRY(std::move(text));
  if (status.shell_code() == 127) return fail(Code::NotFound, "exec: \"ps\": executable file not found in $PATH");
  if (status.shell_code() != 0) return fail(Code::InvalidArgument, "exit status {}: {}", status.shell_code(), output);
  return output;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> out;
  while (!(line = trim(line)).empty()) {
    size_t end = std::min(line.find_first_of(" \t"), line.size());
    out.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return out;
}

/// The lines of `text` whose PID is one of `pids`, below the heading.
Result<void> print_processes(const std::string& text, const std::vector<pid_t>& pids) {
  auto lines = split(text, '\n');
  auto heading = fields_of(lines[0]);
  auto column = std::find(heading.begin(), heading.end(), "PID") - heading.begin();
  if (column == static_cast<ptrdiff_t>(heading.size()))
    return fail(Code::InvalidArgument, "couldn't find PID field in ps output");
  print(lines[0] + "\n");
  for (size_t i = 1; i < lines.size(); ++i) {
    auto fields = fields_of(lines[i]);
    if (static_cast<ptrdiff_t>(fields.size()) <= column) continue;
    auto pid = parse_int(fields[static_cast<size_t>(column)]).value_or(-1);
    if (std::find(pids.begin(), pids.end(), pid) != pids.end()) print(lines[i] + "\n");
  }
  return {};
}

Result<int> ps(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  std::string format = context.args.get("format", "table");
  if (format != "table" && format != "json") return fail(Code::InvalidArgument, "invalid format option");
  auto host = TRY(cgroup::detect_host());
  auto pids = TRY(cgroup::Cgroup::open(host, record.cgroup_path).processes());
  if (format == "json") {
    print(codec::format_json(codec::write_json(pids)) + "\n");
    return 0;
  }
  std::vector<std::string> options(context.args.rest().begin() + 1, context.args.rest().end());
  if (options.empty()) options = {"-ef"};
  TRY(print_processes(TRY(run_ps(options)), pids));
  return 0;
}

Result<int> spec(Context& context) {
  std::string file = context.args.get("bundle", ".") + "/config.json";
  if (sys::path_exists(file)) return fail(Code::AlreadyExists, "File {} exists. Remove it first", file);
  auto made = default_spec();
  if (context.args.has("rootless")) make_rootless(made, ::geteuid(), ::getegid());
  auto value = TRY(codec::parse_json(oci::format_spec(made)));
  TRY(sys::replace_file(file, codec::format_json_pretty(value, 2) + "\n", 0666, sys::Durable::No));
  return 0;
}

constexpr Command kCommands[] = {
    {"state", "<container-id>", "output the state of a container", {}, state},
    {"list", "", "list containers started by sampan-runtime with the given root", kListFlags, list},
    {"ps", "<container-id> [ps options]", "display the processes running inside a container", kPsFlags, ps},
    {"spec", "", "create a new specification file", kSpecFlags, spec},
};

}  // namespace

std::span<const Command> show_commands() {
  return kCommands;
}

}  // namespace sampan::bin
