// exec: a further process in a running container.
#include <unistd.h>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

constexpr Flag kFlags[] = {
    {"console-socket", "", Takes::Value, "path to a socket that receives the terminal's master"},
    {"cwd", "", Takes::Value, "current working directory in the container"},
    {"env", "e", Takes::Value, "set environment variables"},
    {"tty", "t", Takes::Nothing, "allocate a pseudo-TTY"},
    {"user", "u", Takes::Value, "UID (format: <uid>[:<gid>])"},
    {"additional-gids", "g", Takes::Value, "additional gids"},
    {"process", "p", Takes::Value, "path to the process.json"},
    {"detach", "d", Takes::Nothing, "detach from the container's process"},
    {"pid-file", "", Takes::Value, "file to write the process id to"},
    {"apparmor", "", Takes::Value, "set the apparmor profile for the process"},
    {"process-label", "", Takes::Value, "set the SELinux process label"},
    {"no-new-privs", "", Takes::Nothing, "set the no new privileges value for the process"},
    {"cap", "c", Takes::Value, "add a capability to the bounding set for the process"},
    {"preserve-fds", "", Takes::Value, "pass N additional file descriptors to the container"},
    {"cgroup", "", Takes::Value, "run the process in an (existing) sub-cgroup. Format is [<controller>:]<cgroup>"},
    {"ignore-paused", "", Takes::Nothing, "allow exec in a paused container"},
};

Result<void> add_capabilities(oci::Process& process, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  if (!process.capabilities) process.capabilities.emplace();
  for (const auto& name : names)
    for (auto* set :
         {&process.capabilities->bounding, &process.capabilities->effective, &process.capabilities->permitted})
      set->push_back(name);
  return {};
}

/// "UID[:GID]"; without a group the container's stays. False for names, which only the container's files explain.
bool set_ids(oci::User& user, std::string_view text) {
  auto parts = split_once(text, ':');
  auto uid = parse_uint(parts ? parts->first : text);
  auto gid = parts ? parse_uint(parts->second) : user.gid;
  if (!uid || !gid || *uid > 0xfffffffe || *gid > 0xfffffffe) return false;
  user.uid = static_cast<uint32_t>(*uid);
  user.gid = static_cast<uint32_t>(*gid);
  return true;
}

Result<void> set_user(oci::Process& process, const Args& args) {
  for (const auto& text : args.all("additional-gids")) {
    auto gid = parse_uint(text);
    if (!gid || *gid > 0xfffffffe) return fail(Code::InvalidArgument, "bad gid \"{}\"", text);
    process.user.additional_gids.push_back(static_cast<uint32_t>(*gid));
  }
  return {};
}

/// --cgroup "[<controller>[,<controller>...]:]<cgroup>": paths below the container's, by controller.
Result<std::map<std::string, std::string>> sub_cgroups(const Args& args) {
  std::map<std::string, std::string> paths;
  auto texts = args.all("cgroup");
  for (const auto& text : texts) {
    auto parts = split(text, ':');
    if (parts.size() > 2) return fail(Code::InvalidArgument, "invalid --cgroup argument: {}", text);
    if (parts.size() == 1 && texts.size() > 1)
      return fail(Code::InvalidArgument, "invalid --cgroup argument: {} (missing <controller>: prefix)", text);
    for (const auto& controller : split(parts.size() == 2 ? parts[0] : "", ',')) paths[controller] = parts.back();
  }
  return paths;
}

Result<oci::Process> process_of(const Context& context, const oci::Spec& spec) {
  const auto& args = context.args;
  if (args.has("process")) return oci::parse_process(TRY(sys::read_file(args.get("process"))));
  oci::Process process = spec.process.value_or(oci::Process());
  process.args.assign(args.rest().begin() + 1, args.rest().end());
  process.terminal = args.has("tty");
  if (args.has("cwd")) process.cwd = args.get("cwd");
  for (const auto& entry : args.all("env")) process.env.push_back(entry);
  if (args.has("apparmor")) process.apparmor_profile = args.get("apparmor");
  if (args.has("process-label")) process.selinux_label = args.get("process-label");
  if (args.has("no-new-privs")) process.no_new_privileges = true;
  TRY(add_capabilities(process, args.all("cap")));
  TRY(set_user(process, args));
  return process;
}

Result<int> exec(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  auto status = TRY(context.store.status(record));
  if (status == Status::Stopped) return fail(Code::Conflict, "cannot exec in a stopped container");
  if (status == Status::Paused && !context.args.has("ignore-paused"))
    return fail(Code::Conflict, "cannot exec in a paused container (use --ignore-paused to override)");
  if (context.args.rest().size() < 2 && !context.args.has("process"))
    return fail(Code::InvalidArgument, "process args cannot be empty");
  bool detach = context.args.has("detach");
  std::string socket = context.args.get("console-socket");

  auto spec = TRY(context.store.load_spec(record.id));
  runtime::ExecOptions options;
  options.process = TRY(process_of(context, spec));
  if (context.args.has("user") && !set_ids(options.process.user, context.args.get("user")))
    options.user = context.args.get("user");
  options.stdio = {0, 1, 2};
  options.sub_cgroups = TRY(sub_cgroups(context.args));
  options.section = spec.linux_ ? &*spec.linux_ : nullptr;
  options.preserve_fds = TRY(preserved(context.args));
  if (detach && options.process.terminal && socket.empty())
    return fail(Code::InvalidArgument, "cannot allocate tty if runc will detach without setting console socket");
  if (spec.linux_ && spec.linux_->seccomp) {
    options.seccomp = TRY(cached_seccomp(context.store.root(), *spec.linux_->seccomp));
    options.seccomp_flags = spec.linux_->seccomp->flags;
    options.listener = &*spec.linux_->seccomp;
    options.state = {record.id, "running", record.bundle, record.pid, record.annotations};
  }
  auto host = TRY(cgroup::detect_host());
  auto cgroups = cgroup::Cgroup::open(host, record.cgroup_path);
  options.trace = context.debug;
  if (!detach) hold_signals();
  auto process = TRY(runtime::exec(record.pid, cgroups, options));
  for (const auto& warning : process.warnings) context.warn(warning);
  context.log_timings(process.timings);
  if (!socket.empty() && process.console.valid()) {
    TRY(send_console(socket, process.console.get()));
    process.console.reset();
  }
  TRY(write_pid_file(context.args.get("pid-file"), process.pid));
  if (detach) return 0;
  return attend(process);
}

constexpr Command kCommands[] = {
    {"exec", "<container-id> <command> [args...]", "execute new process inside the container", kFlags, exec, true}};

}  // namespace

std::span<const Command> exec_commands() {
  return kCommands;
}

}  // namespace sampan::bin
