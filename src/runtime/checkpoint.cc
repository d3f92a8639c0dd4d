#include "runtime/checkpoint.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/strings.h"
#include "codec/json.h"
#include "runtime/internal/mount_options.h"
#include "runtime/internal/plan.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/program.h"

namespace sampan::runtime {
namespace {

namespace json = codec::json;

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kNoRoot = 125;  // the child could not mount it

Result<std::string> find_criu() {
  const char* path = ::getenv("PATH");
  for (auto dir : split(path && *path ? path : "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    std::string file = std::string(dir) + "/criu";
    if (dir.starts_with('/') && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return fail(Code::NotImplemented, "criu is not installed: checkpoint and restore need it (no \"criu\" in PATH)");
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

Result<void> save_names(const Criu& criu, const char* file, const std::vector<std::string>& names) {
  return sys::replace_file(criu.images + "/" + file, codec::format_json(codec::write_json(names)), 0600,
                           sys::Durable::No);
}

/// Nothing when the file is missing: an image that another program wrote.
Result<std::optional<std::vector<std::string>>> load_names(const Criu& criu, const char* file) {
  auto text = sys::read_file(criu.images + "/" + file, 1 << 20);
  if (!text) return std::optional<std::vector<std::string>>();
  auto value = TRY(codec::parse_json(*text));
  if (!value.is_array()) return fail(Code::InvalidArgument, "{} is no array", file);
  std::vector<std::string> names;
  for (const auto& name : value.as_array())
    names.push_back(name.is_string() ? std::string(name.as_string()) : std::string());
  return std::optional(std::move(names));
}

/// Where the init's mounts are, as CRIU will see them.
Result<std::set<std::string>> mount_points(pid_t pid) {
  std::set<std::string> points;
  auto text = TRY(sys::read_file(fmt::format("/proc/{}/mountinfo", pid), 16 << 20));
  for (auto line : split(text, '\n'))
    if (auto fields = split(line, ' '); fields.size() > 4) points.emplace(fields[4]);
  return points;
}

/// CRIU wants a mount point, and nobody else shall see it.
Result<void> attach_root(const CriuRoot& root) {
  TRY(sys::set_root_propagation(sys::propagation::kSlave, sys::Recursive::Yes));
  auto mount = TRY(internal::open_rootfs(root.mount));
  return sys::attach_mount_at(mount.get(), root.directory);
}

}  // namespace

Result<Criu> prepare_criu(const char* verb, const std::string& images, const std::string& work) {
  Criu criu;
  criu.program = TRY(find_criu());
  criu.images = images;
  criu.work = work;
  if (std::string_view(verb) != "restore") TRY(sys::make_dirs(images, 0700));
  TRY(sys::make_dirs(work, 0700));
  criu.log = fmt::format("{}.log", verb);
  criu.add({"criu", verb, "--images-dir", images, "--work-dir", work, "--log-file", criu.log, "-v4"});
  return criu;
}

std::vector<BindMount> bind_mounts_of(const oci::Spec& spec, const std::string& init_path) {
  std::vector<BindMount> binds;
  for (const auto& mount : spec.mounts)
    if (internal::is_bind(mount, internal::parse_mount_options(mount.options)))
      binds.push_back({mount.destination, mount.source});
  if (!init_path.empty()) binds.push_back({"/sbin/docker-init", init_path});
  return binds;
}

Result<void> name_mounts(Criu& criu, const std::vector<std::string>& destinations, pid_t init) {
  auto points = TRY(mount_points(init));
  for (size_t i = 0; i < destinations.size(); ++i) {
    const auto& destination = destinations[i];
    bool plain = destination.find_first_of("[]:, \t\n\\") == std::string::npos;
    if (!plain || !points.count(destination))
      return fail(Code::InvalidArgument, "mount \"{}\" cannot be checkpointed: it is not where the configuration says",
                  destination);
    criu.add({"--external", fmt::format("mnt[{}]:m{}", destination, i)});
  }
  return save_names(criu, "mounts.json", destinations);
}

Result<void> give_mounts(Criu& criu, const std::vector<BindMount>& mounts) {
  auto saved = TRY(load_names(criu, "mounts.json"));
  if (saved && saved->size() != mounts.size())
    return fail(Code::InvalidArgument, "the image was made with {} bind mounts, the configuration has {}",
                saved->size(), mounts.size());
  for (size_t i = 0; i < mounts.size(); ++i) {
    if (saved && (*saved)[i] != mounts[i].destination)
      return fail(Code::InvalidArgument, "the image was made with a bind mount at \"{}\", the configuration has \"{}\"",
                  (*saved)[i], mounts[i].destination);
    criu.add({"--external", fmt::format("mnt[m{}]:{}", i, mounts[i].source)});
  }
  return {};
}

Result<void> name_network(Criu& criu, const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) < 0) return sys::sys_error("stat", path);
  criu.add({"--external", fmt::format("net[{}]:network", info.st_ino)});
  return {};
}

void give_network(Criu& criu, int network) {
  criu.kept.push_back(network);
  criu.add({"--inherit-fd", fmt::format("fd[{}]:network", network)});
}

Result<void> save_streams(const Criu& criu, pid_t init) {
  std::vector<std::string> names;
  for (int fd = 0; fd < 3; ++fd) names.push_back(sys::read_link(fmt::format("/proc/{}/fd/{}", init, fd)).value_or(""));
  return save_names(criu, "descriptors.json", names);
}

Result<void> give_streams(Criu& criu, const Stdio& streams) {
  auto names = TRY(load_names(criu, "descriptors.json"));
  const int ours[] = {streams.in, streams.out, streams.err};
  for (size_t i = 0; names && i < names->size() && i < 3; ++i) {
    if (!(*names)[i].starts_with("pipe:[") || ours[i] < 0) continue;
    criu.kept.push_back(ours[i]);
    criu.add({"--inherit-fd", fmt::format("fd[{}]:{}", ours[i], (*names)[i])});
  }
  return {};
}

Result<sys::Child> start_criu(const Criu& criu, const CriuRoot* root) {
  auto child = TRY(sys::clone_process({.namespaces = root ? sys::ns::kMount : 0}));
  if (child.pid != 0) return child;
  if (root && !attach_root(*root)) ::_exit(kNoRoot);
  sys::become_program({criu.program, criu.args, {kPath}, -1, -1, criu.kept});
}

Result<void> outcome_of(const Criu& criu, const sys::ExitStatus& status) {
  if (status.shell_code() == 0) return {};
  if (status.code == kNoRoot) return fail(Code::Unknown, "cannot mount the root file system for criu");
  return fail(Code::Unknown, "criu failed: {} (exit status {})\nlog file: {}/{}", complaint(criu), status.shell_code(),
              criu.work, criu.log);
}

Result<void> run_criu(const Criu& criu, const CriuRoot* root) {
  auto child = TRY(start_criu(criu, root));
  return outcome_of(criu, TRY(sys::reap(child.pid)));
}

Result<pid_t> restored_pid(const std::string& pid_file) {
  auto pid = parse_int(trim(TRY(sys::read_file(pid_file, 64))));
  if (!pid || *pid <= 0) return fail(Code::Internal, "criu wrote no process id");
  return static_cast<pid_t>(*pid);
}

}  // namespace sampan::runtime
