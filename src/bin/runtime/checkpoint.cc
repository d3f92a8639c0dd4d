// checkpoint and restore: the processes of a container written into files, and made again from them, by CRIU.
//
// CRIU is run as a program (criu(8)), found in PATH. What lies outside the container is named to it by keys of our own,
// never by paths that the container could have shaped: "m<index>" is the bind mount at that index of the
// configuration, and a restore takes the sources from the configuration it is given, not from the image.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "codec/json.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/process.h"
#include "sys/program.h"

namespace sampan::bin {
namespace {

namespace json = codec::json;

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

Result<std::string> find_criu() {
  const char* path = ::getenv("PATH");
  for (auto dir : split(path && *path ? path : "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    std::string file = std::string(dir) + "/criu";
    if (dir.starts_with('/') && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return fail(Code::NotImplemented, "criu is not installed: checkpoint and restore need it (no \"criu\" in PATH)");
}

/// One run of CRIU: its arguments, and where its files are.
struct Criu {
  std::string program, images, work, log;
  std::vector<std::string> args;
  std::vector<int> kept;  // descriptors that it shall have
  void add(std::initializer_list<std::string> words) { args.insert(args.end(), words); }
};

Result<std::string> empty_namespace(const std::string& name) {
  if (name == "network" || name == "net") return std::string("net");
  return fail(Code::InvalidArgument, "--empty-ns {}: only \"network\" can be left empty", name);
}

Result<Criu> prepare(const Context& context, const char* verb) {
  Criu criu;
  criu.program = TRY(find_criu());
  const auto& args = context.args;
  criu.images = args.get("image-path", "checkpoint");
  if (std::string_view(verb) != "restore") TRY(sys::make_dirs(criu.images, 0700));
  criu.work = args.get("work-path", criu.images);
  TRY(sys::make_dirs(criu.work, 0700));
  criu.log = fmt::format("{}.log", verb);
  criu.add({"criu", verb, "--images-dir", criu.images, "--work-dir", criu.work, "--log-file", criu.log, "-v4"});
  for (const char* name : {"tcp-established", "ext-unix-sk", "shell-job", "file-locks", "auto-dedup"})
    if (args.has(name)) criu.add({fmt::format("--{}", name)});
  criu.add({"--manage-cgroups=" + args.get("manage-cgroups-mode", "soft")});
  for (const auto& name : args.all("empty-ns")) criu.add({"--empty-ns", TRY(empty_namespace(name))});
  return criu;
}

/// The first complaint in CRIU's log, without its time. Those of its probes of the kernel mean nothing.
std::string complaint(const Criu& criu) {
  auto text = sys::read_file(criu.work + "/" + criu.log, 64 << 20);
  if (!text) return "no log";
  for (auto line : split(*text, '\n')) {
    size_t at = line.find("Error (");
    if (at == std::string_view::npos) continue;
    auto words = line.substr(at);
    if (!words.starts_with("Error (criu/util.c") && !words.starts_with("Error (criu/sockets.c"))
      return std::string(words);
  }
  return "no error in the log";
}

/// Runs it and waits. `root` is bound over itself in a mount namespace that only CRIU sees: it wants a mount point.
Result<void> run(const Criu& criu, const std::string& root) {
  auto child = TRY(sys::clone_process({.namespaces = root.empty() ? 0 : sys::ns::kMount}));
  if (child.pid == 0) {
    auto bind = [&]() -> Result<void> {
      TRY(sys::set_root_propagation(sys::propagation::kSlave, sys::Recursive::Yes));
      auto mount = TRY(sys::clone_mount(AT_FDCWD, root, sys::Recursive::Yes));
      return sys::attach_mount_at(mount.get(), root);
    };
    if (!root.empty() && !bind()) ::_exit(125);
    sys::become_program({criu.program, criu.args, {kPath}, -1, -1, criu.kept});
  }
  auto status = TRY(sys::reap(child.pid));
  if (status.shell_code() == 0) return {};
  if (status.code == 125) return fail(Code::Unknown, "cannot bind {} for criu", root);
  return fail(Code::Unknown, "criu failed: {} (exit status {})\nlog file: {}/{}", complaint(criu), status.shell_code(),
              criu.work, criu.log);
}

/// Names of the streams, so that a restore can put its own in their place: pipes keep their number.
Result<void> save_streams(const Criu& criu, pid_t pid) {
  json::array names;
  for (int fd = 0; fd < 3; ++fd) {
    char target[4096];
    ssize_t n = ::readlink(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), target, sizeof target);
    names.emplace_back(std::string_view(target, n > 0 ? static_cast<size_t>(n) : 0));
  }
  return sys::replace_file(criu.images + "/descriptors.json", codec::format_json(names), 0600, sys::Durable::No);
}

Result<void> inherit_streams(Criu& criu) {
  auto text = sys::read_file(criu.images + "/descriptors.json", 65536);
  if (!text) return {};  // an image that another program wrote
  auto value = TRY(codec::parse_json(*text));
  if (!value.is_array()) return fail(Code::InvalidArgument, "descriptors.json is no array");
  for (size_t i = 0; i < value.as_array().size() && i < 3; ++i) {
    const auto& name = value.as_array()[i];
    if (!name.is_string() || !name.as_string().starts_with("pipe:[")) continue;
    int copy = ::fcntl(static_cast<int>(i), F_DUPFD_CLOEXEC, 10);
    if (copy < 0) return sys::sys_error("dup");
    criu.kept.push_back(copy);
    criu.add({"--inherit-fd", fmt::format("fd[{}]:{}", copy, std::string_view(name.as_string()))});
  }
  return {};
}

/// Where the init's mounts are, as CRIU will see them.
Result<std::set<std::string>> mount_points(pid_t pid) {
  std::set<std::string> points;
  auto text = TRY(sys::read_file(fmt::format("/proc/{}/mountinfo", pid), 16 << 20));
  for (auto line : split(text, '\n'))
    if (auto fields = split(line, ' '); fields.size() > 4) points.emplace(fields[4]);
  return points;
}

/// Names the bind mounts. One that lies elsewhere than the configuration says (the image had a link there) could change
/// places with another on the way back, and one whose name CRIU would take apart could name anything: both are refused
/// (CVE-2026-119101).
Result<void> name_mounts(Criu& criu, const oci::Spec& spec, pid_t init) {
  auto points = TRY(mount_points(init));
  for (size_t i = 0; i < spec.mounts.size(); ++i) {
    const auto& mount = spec.mounts[i];
    if (!is_bind(mount)) continue;
    bool plain = mount.destination.find_first_of("[]:, \t\n\\") == std::string::npos;
    if (!plain || !points.count(mount.destination))
      return fail(Code::InvalidArgument, "mount \"{}\" cannot be checkpointed: it is not where the configuration says",
                  mount.destination);
    criu.add({"--external", fmt::format("mnt[{}]:m{}", mount.destination, i)});
  }
  return {};
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
  TRY(name_mounts(criu, spec, record.pid));
  if (std::string path = joined_network(spec); !path.empty()) {
    struct stat info;
    if (::stat(path.c_str(), &info) < 0) return sys::sys_error("stat", path);
    criu.add({"--external", fmt::format("net[{}]:network", info.st_ino)});
  }
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
  TRY(save_streams(criu, record.pid));
  TRY(run(criu, ""));
  if (goes_on || args.has("pre-dump")) return 0;
  auto host = TRY(cgroup::detect_host());
  TRY(stop_scope(record));
  TRY(cgroup::Cgroup::open(host, record.cgroup_path).remove());
  TRY(context.store.forget(record.id));
  return 0;
}

Result<pid_t> read_pid(const std::string& file) {
  auto pid = parse_int(trim(TRY(sys::read_file(file, 64))));
  if (!pid || *pid <= 0) return fail(Code::Internal, "criu wrote no process id");
  return static_cast<pid_t>(*pid);
}

/// Everything that a restore names to CRIU comes from the bundle.
Result<Criu> restore_command(const Context& context, const Bundle& bundle, const std::string& pid_file) {
  auto criu = TRY(prepare(context, "restore"));
  criu.add({"--root", bundle.rootfs, "--restore-detached", "--pidfile", pid_file});
  for (size_t i = 0; i < bundle.spec.mounts.size(); ++i)
    if (is_bind(bundle.spec.mounts[i]))
      criu.add({"--external", fmt::format("mnt[m{}]:{}", i, bundle.spec.mounts[i].source)});
  if (std::string path = joined_network(bundle.spec); !path.empty()) {
    int fd = TRY(sys::open_file(path, O_RDONLY)).release();  // for CRIU, until this program ends
    criu.kept.push_back(fd);
    criu.add({"--inherit-fd", fmt::format("fd[{}]:network", fd)});
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
    TRY(run(criu, bundle.rootfs));
    runtime::Process init;
    init.pid = TRY(read_pid(pid_file));
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
