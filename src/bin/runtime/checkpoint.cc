// The commands checkpoint and restore.
#include <fcntl.h>
#include <sys/prctl.h>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "runtime/checkpoint.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::bin {
namespace {

using runtime::Criu;

constexpr Flag kCriuFlags[] = {
    {"image-path", "", Takes::Value, "directory of the image files (default: ./checkpoint)"},
    {"work-path", "", Takes::Value, "directory of the log and of temporary files (default: the image's)"},
    {"tcp-established", "", Takes::Nothing, "allow open TCP connections"},
    {"ext-unix-sk", "", Takes::Nothing, "allow unix sockets whose other end is outside"},
    {"shell-job", "", Takes::Nothing, "allow a session that was not started inside"},
    {"file-locks", "", Takes::Nothing, "handle file locks"},
    {"manage-cgroups-mode", "", Takes::Value, "soft (default), full, strict or ignore"},
    {"empty-ns", "", Takes::Value, "make a namespace without what is inside: only \"network\""},
    {"auto-dedup", "", Takes::Nothing, "remove pages of the parent image that this one holds as well"},
};
constexpr auto kCheckpointFlags = with_flags(
    kCriuFlags, {
                    {"parent-path", "", Takes::Value, "image of an earlier pre-dump, relative to this one"},
                    {"leave-running", "", Takes::Nothing, "leave the container running"},
                    {"tcp-skip-in-flight", "", Takes::Nothing, "leave out TCP connections that are being made"},
                    {"link-remap", "", Takes::Nothing, "allow links to files that were removed"},
                    {"page-server", "", Takes::Value, "ADDRESS:PORT of a server that takes the memory"},
                    {"pre-dump", "", Takes::Nothing, "write the memory only, and leave the container running"},
                });
constexpr auto kRestoreFlags = with_flags(
    kCriuFlags,
    {
        {"bundle", "b", Takes::Value, "path to the root of the bundle directory, defaults to the current directory"},
        {"detach", "d", Takes::Nothing, "detach from the container's process"},
        {"pid-file", "", Takes::Value, "file to write the process id to"},
        {"no-subreaper", "", Takes::Nothing, "kept for compatibility: only a foreground restore has one"},
        {"lsm-profile", "", Takes::Value, "TYPE:NAME of the security profile to restore with"},
        {"lsm-mount-context", "", Takes::Value, "SELinux context of the mounts"},
    });

Result<std::string> empty_namespace(const std::string& name) {
  if (name == "network" || name == "net") return std::string("net");
  return fail(Code::InvalidArgument, "--empty-ns {}: only \"network\" can be left empty", name);
}

Result<Criu> prepare(const Context& context, const char* verb) {
  const auto& args = context.args;
  std::string images = args.get("image-path", "checkpoint");
  auto criu = TRY(runtime::prepare_criu(verb, images, args.get("work-path", images)));
  for (const char* name : {"tcp-established", "ext-unix-sk", "shell-job", "file-locks", "auto-dedup"})
    if (args.has(name)) criu.add({fmt::format("--{}", name)});
  criu.add({"--manage-cgroups=" + args.get("manage-cgroups-mode", "soft")});
  for (const auto& name : args.all("empty-ns")) criu.add({"--empty-ns", TRY(empty_namespace(name))});
  return criu;
}

Result<void> inherit_streams(Criu& criu) {
  int copies[3];
  for (int i = 0; i < 3; ++i) {  // for CRIU, until this program ends
    copies[i] = ::fcntl(i, F_DUPFD_CLOEXEC, 10);
    if (copies[i] < 0) return sys::sys_error("dup");
  }
  return runtime::give_streams(criu, {copies[0], copies[1], copies[2]});
}

/// A network namespace that the container was given, not made.
std::string joined_network(const oci::Spec& spec) {
  if (spec.linux_)
    for (const auto& ns : spec.linux_->namespaces)
      if (ns.type == "network") return ns.path;
  return {};
}

Result<int> checkpoint(Context& context) {
  auto record = TRY(context.store.load(TRY(container_id(context))));
  auto criu = TRY(prepare(context, context.args.has("pre-dump") ? "pre-dump" : "dump"));
  auto status = TRY(context.store.status(record));
  if (status == Status::Created || status == Status::Stopped)
    return fail(Code::Conflict, "Container cannot be checkpointed in {} state", status_name(status));
  auto spec = TRY(context.store.load_spec(record.id));
  if (spec.process && spec.process->terminal)
    return fail(Code::NotImplemented, "a container with a terminal cannot be checkpointed");
  criu.add({"--tree", std::to_string(record.pid), "--root", fmt::format("/proc/{}/root", record.pid)});
  std::vector<std::string> destinations;
  for (auto& mount : runtime::bind_mounts_of(spec)) destinations.push_back(std::move(mount.destination));
  TRY(runtime::name_mounts(criu, destinations, record.pid));
  if (std::string path = joined_network(spec); !path.empty()) TRY(runtime::name_network(criu, path));
  const auto& args = context.args;
  if (args.has("parent-path")) criu.add({"--prev-images-dir", args.get("parent-path"), "--track-mem"});
  if (args.has("pre-dump")) criu.add({"--track-mem"});
  if (args.has("tcp-skip-in-flight")) criu.add({"--skip-in-flight"});
  if (args.has("link-remap")) criu.add({"--link-remap"});
  if (args.has("page-server")) {
    auto pair = split_once(args.get("page-server"), ':');
    if (!pair) return fail(Code::InvalidArgument, "Use --page-server ADDRESS:PORT to specify page server");
    criu.add({"--page-server", "--address", std::string(pair->first), "--port", std::string(pair->second)});
  }
  bool goes_on = args.has("leave-running") && !args.has("pre-dump");
  if (goes_on) criu.add({"--leave-running"});
  TRY(runtime::save_streams(criu, record.pid));
  TRY(runtime::run_criu(criu, nullptr));
  if (goes_on || args.has("pre-dump")) return 0;
  auto host = TRY(cgroup::detect_host());
  TRY(stop_scope(record));
  TRY(cgroup::Cgroup::open(host, record.cgroup_path).remove());
  TRY(context.store.forget(record.id));
  return 0;
}

/// Everything that a restore names to CRIU comes from the bundle.
Result<Criu> restore_command(const Context& context, const Bundle& bundle, const std::string& pid_file) {
  auto criu = TRY(prepare(context, "restore"));
  criu.add({"--root", bundle.rootfs, "--restore-detached", "--pidfile", pid_file});
  TRY(runtime::give_mounts(criu, runtime::bind_mounts_of(bundle.spec)));
  if (std::string path = joined_network(bundle.spec); !path.empty()) {
    // For CRIU, until this program ends.
    runtime::give_network(criu, TRY(sys::open_file(path, O_RDONLY)).release());
  }
  for (const char* name : {"lsm-profile", "lsm-mount-context"})
    if (context.args.has(name)) criu.add({fmt::format("--{}", name), context.args.get(name)});
  TRY(inherit_streams(criu));
  return criu;
}

Result<int> restore(Context& context) {
  std::string id = TRY(container_id(context));
  auto bundle = TRY(load_bundle(context.args.get("bundle")));
  if (bundle.spec.process && bundle.spec.process->terminal)
    return fail(Code::NotImplemented, "a container with a terminal cannot be restored");
  TRY(place_cgroups(context, bundle, id));
  std::string cgroup_path = runtime::cgroup_path_of(bundle.spec, id);
  if (!bundle.spec.linux_) return fail(Code::InvalidArgument, "the specification has no \"linux\" section");
  TRY(context.store.claim(id, cgroup_path));
  Claim claim(context.store, id);
  std::string pid_file = context.store.dir(id) + "/criu.pid";
  auto criu = TRY(restore_command(context, bundle, pid_file));
  auto host = TRY(cgroup::detect_host());
  std::vector<std::string> warnings;
  auto scope = TRY(ContainerScope::start(bundle));
  auto cgroups = TRY(cgroup::Cgroup::create(host, cgroup_path, runtime::resources_of(scope.spec()), warnings));
  for (const auto& warning : warnings) context.warn(warning);
  bool detach = context.args.has("detach");
  // CRIU leaves its child to whoever adopts orphans: in the foreground that is this program.
  if (!detach && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) return sys::sys_error("prctl PR_SET_CHILD_SUBREAPER");
  if (!detach) hold_signals();
  Record record;
  auto restored = [&]() -> Result<runtime::Process> {
    runtime::CriuRoot root{{.type = "bind", .source = bundle.rootfs, .options = {"rbind"}}, bundle.rootfs};
    TRY(runtime::run_criu(criu, &root));
    runtime::Process init;
    init.pid = TRY(runtime::restored_pid(pid_file));
    init.pidfd = TRY(sys::open_pidfd(init.pid));
    record = TRY(record_of(bundle, id, init.pid));
    TRY(scope.settle(cgroups));
    TRY(context.store.save(record, bundle.spec));
    TRY(write_pid_file(context.args.get("pid-file"), init.pid));
    return init;
  }();
  if (!restored) {
    (void)cgroups.kill_all();  // the first error is the one to tell
    (void)stop_scope(record);
    (void)cgroups.remove();
    return std::move(restored).error();
  }
  if (detach) {
    claim.keep();
    return 0;
  }
  int code = TRY(attend(*restored));
  TRY(cgroups.kill_all());
  TRY(stop_scope(record));
  TRY(cgroups.remove());
  return code;
}

constexpr Command kCommands[] = {
    {"checkpoint", "<container-id>", "checkpoint a running container", kCheckpointFlags, checkpoint},
    {"restore", "<container-id>", "restore a container from a previous checkpoint", kRestoreFlags, restore},
};

}  // namespace

std::span<const Command> checkpoint_commands() {
  return kCommands;
}

}  // namespace sampan::bin
