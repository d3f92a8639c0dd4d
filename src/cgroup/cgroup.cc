#include "cgroup/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.h"
#include "cgroup/internal/controllers.h"
#include "cgroup/internal/files.h"
#include "sys/error.h"
#include "sys/file.h"

namespace sampan::cgroup {

using internal::Controller;

std::span<const Controller* const> internal::all_controllers() {
  static constexpr const Controller* kAll[] = {&kCpuset, &kCpu,     &kCpuacct, &kMemory,  &kDevices, &kPids,
                                               &kBlkio,  &kHugetlb, &kNetCls,  &kNetPrio, &kRdma,    &kUnified};
  return kAll;
}

namespace {

/// Where a controller's files of this cgroup are, and on which version.
struct Place {
  std::string dir;
  bool v2 = false;
};

std::optional<Place> place_of(const HostCgroups& host, const Controller& controller, const std::string& path) {
  if (controller.v1)
    if (auto found = host.v1_roots.find(controller.v1); found != host.v1_roots.end())
      return Place{found->second + path};
  if (!controller.v2 || host.v2_root.empty()) return std::nullopt;
  bool listed =
      std::find(host.v2_controllers.begin(), host.v2_controllers.end(), controller.v2) != host.v2_controllers.end();
  if (*controller.v2 != '\0' && !listed) return std::nullopt;
  return Place{host.v2_root + path, true};
}

Result<void> check_path(const std::string& path) {
  bool dots = false;
  for (const auto& part : split(path, '/')) dots = dots || part == "." || part == "..";
  if (!path.starts_with('/') || path.size() < 2 || path.ends_with('/') || dots || path.find("//") != std::string::npos)
    return fail(Code::InvalidArgument, "bad control group path \"{}\"", path);
  return {};
}

Result<void> make_one(const std::string& root, const std::string& path) {
  std::string dir = root + path;
  if (::mkdir(dir.c_str(), 0755) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return sys::sys_error("mkdir", dir);
  return sys::make_dirs(dir, 0755);
}

/// Lets children of `dir` have every controller that `dir` itself has.
Result<void> delegate(const std::string& dir) {
  auto have = internal::words(internal::read_text(dir, "cgroup.controllers"));
  auto given = internal::words(internal::read_text(dir, "cgroup.subtree_control"));
  for (const auto& controller : have) {
    if (std::find(given.begin(), given.end(), controller) != given.end()) continue;
    // One at a time: a controller that cannot be delegated (rt tasks, a threaded domain) must not cost the others.
    (void)internal::write_value(dir, "cgroup.subtree_control", "+" + controller);
  }
  return {};
}

Result<void> make_v2(const HostCgroups& host, const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    TRY(make_one(host.v2_root, path.substr(0, slash)));
  for (size_t slash = 0; !host.v2_controllers.empty() && slash != std::string::npos; slash = path.find('/', slash + 1))
    TRY(delegate(host.v2_root + path.substr(0, slash)));
  return make_one(host.v2_root, path);
}

/// A version 2 cgroup under processes ("no internal processes"), or among threads, cannot have these controllers.
bool asks_domain_controller(const oci::Resources& resources) {
  return internal::kMemory.asked(resources) || internal::kBlkio.asked(resources) ||
         internal::kHugetlb.asked(resources) || internal::kCpu.asked(resources);
}

Result<void> settle_type(const std::string& dir, const oci::Resources& resources) {
  std::string type = internal::read_text(dir, "cgroup.type");
  if (type.empty() || type == "domain") return {};
  if (asks_domain_controller(resources))
    return fail(Code::Conflict, "cannot enter cgroupv2 \"{}\" with domain controllers -- it is in {}", dir,
                type == "domain invalid" ? "an invalid state" : type + " mode");
  if (type == "domain invalid") (void)internal::write_value(dir, "cgroup.type", "threaded");  // else nothing can enter
  return {};
}

/// A parent that holds processes, or that is not ours to change, gives its children no controller.
Result<void> check_given(const Controller& controller, const std::string& dir) {
  if (*controller.v2 == '\0' || !internal::has_file(dir, "cgroup.controllers")) return {};
  auto given = internal::words(internal::read_text(dir, "cgroup.controllers"));
  if (std::find(given.begin(), given.end(), controller.v2) != given.end()) return {};
  return fail(Code::Unavailable, "the limits cannot be set: controller \"{}\" is not available in \"{}\"",
              controller.v2, dir);
}

Result<void> apply_all(const HostCgroups& host, const std::string& path, const oci::Resources& resources,
                       std::vector<std::string>& warnings) {
  for (const Controller* controller : internal::all_controllers()) {
    if (!controller->asked(resources)) continue;
    auto place = place_of(host, *controller, path);
    const char* name = controller->v1 ? controller->v1 : "unified";
    if (!place) {
      if (controller == &internal::kUnified)
        return fail(Code::InvalidArgument, "invalid configuration: cannot use unified on cgroup v1");
      warnings.push_back(fmt::format("this host has no {} controller; its limits were not set", name));
      continue;
    }
    if (place->v2) TRY(check_given(*controller, place->dir));
    auto apply = place->v2 ? controller->apply_v2 : controller->apply_v1;
    TRY_CONTEXT(apply({place->dir, resources, warnings}), std::string(name));
  }
  return {};
}

/// Removes a cgroup and those below it. Errors: EBUSY while processes are inside.
Result<void> remove_dir(const std::string& dir) {
  if (::rmdir(dir.c_str()) == 0 || errno == ENOENT) return {};
  if (errno != EBUSY && errno != ENOTEMPTY) return sys::sys_error("rmdir", dir);
  if (DIR* listing = ::opendir(dir.c_str())) {
    while (dirent* entry = ::readdir(listing))
      if (entry->d_type == DT_DIR && entry->d_name[0] != '.') (void)remove_dir(dir + "/" + entry->d_name);
    ::closedir(listing);
  }
  if (::rmdir(dir.c_str()) == 0 || errno == ENOENT) return {};
  return sys::sys_error("rmdir", dir);
}

void collect_processes(const std::string& dir, std::vector<pid_t>& out) {
  for (const auto& word : internal::words(internal::read_text(dir, "cgroup.procs")))
    if (auto pid = parse_int(word); pid && *pid > 0)  // 0: a process that this pid namespace cannot see
      out.push_back(static_cast<pid_t>(*pid));
  DIR* listing = ::opendir(dir.c_str());
  if (!listing) return;
  while (dirent* entry = ::readdir(listing))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') collect_processes(dir + "/" + entry->d_name, out);
  ::closedir(listing);
}

/// "a/../b" as "/b". nullopt: it leads out.
std::optional<std::string> inner_path(std::string_view path) {
  std::vector<std::string> parts;
  for (auto& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..")
      parts.push_back(std::move(part));
    else if (parts.empty())
      return std::nullopt;
    else
      parts.pop_back();
  }
  std::string out;
  for (const auto& part : parts) out += "/" + part;
  return out;
}

}  // namespace

Result<Cgroup> Cgroup::create(const HostCgroups& host, const std::string& path, const oci::Resources& resources,
                              std::vector<std::string>& warnings) {
  TRY(check_path(path));
  Cgroup cgroup(host, path);
  auto made = [&]() -> Result<void> {
    for (const auto& root : host.unique_v1_roots()) TRY(make_one(root, path));
    if (auto cpuset = host.v1_roots.find("cpuset"); cpuset != host.v1_roots.end())
      TRY_CONTEXT(internal::seed_cpuset(cpuset->second, path), "cpuset");
    if (!host.v2_root.empty()) {
      TRY(make_v2(host, path));
      TRY(settle_type(host.v2_root + path, resources));
    }
    return apply_all(host, path, resources, warnings);
  }();
  if (made) return cgroup;
  (void)cgroup.remove(std::chrono::milliseconds(0));  // the first error is the one to tell
  return std::move(made).error().context("control group");
}

Cgroup Cgroup::open(const HostCgroups& host, const std::string& path) {
  return Cgroup(host, path);
}

Result<sys::DirFd> Cgroup::v2_dir() const {
  if (host_->v2_root.empty()) return sys::DirFd();
  return TRY(sys::open_file(dir_in(host_->v2_root), O_RDONLY | O_DIRECTORY)).as<sys::DirFdTag>();
}

Result<std::vector<sys::Fd>> Cgroup::join_fds(Unified unified) const {
  std::vector<sys::Fd> files;
  for (const auto& root : host_->unique_v1_roots())
    files.push_back(TRY(sys::open_file(dir_in(root) + "/tasks", O_WRONLY)));
  if (unified == Unified::Join && !host_->v2_root.empty())
    files.push_back(TRY(sys::open_file(dir_in(host_->v2_root) + "/cgroup.procs", O_WRONLY)));
  return files;
}

Result<std::vector<sys::Fd>> Cgroup::join_fds_below(const std::map<std::string, std::string>& paths) const {
  auto roots = host_->unique_v1_roots();
  if (!host_->v2_root.empty()) roots.push_back(host_->v2_root);
  std::map<std::string, std::string> below;  // by mount point
  for (const auto& [controller, path] : paths) {
    auto inner = inner_path(path);
    if (!inner) return fail(Code::InvalidArgument, "{} is not a sub cgroup path", path);
    auto one = host_->v1_roots.find(controller);
    if (!controller.empty() && one == host_->v1_roots.end())
      return fail(Code::InvalidArgument, "unknown controller {} in SubCgroupPaths", controller);
    for (const auto& root : roots)
      if (controller.empty() || root == one->second) below[root] = *inner;
  }
  std::vector<sys::Fd> files;
  for (const auto& root : roots)
    files.push_back(TRY(
        sys::open_file(dir_in(root) + below[root] + (root == host_->v2_root ? "/cgroup.procs" : "/tasks"), O_WRONLY)));
  return files;
}

Result<void> Cgroup::update(const oci::Resources& resources) {
  std::vector<std::string> warnings;  // an update that cannot be had is not an error either; the create said so already
  return apply_all(*host_, path_, resources, warnings);
}

Result<Stats> Cgroup::stats() const {
  Stats stats;
  bool any = false;
  for (const Controller* controller : internal::all_controllers()) {
    auto place = place_of(*host_, *controller, path_);
    if (!place) continue;
    auto read = place->v2 ? controller->stats_v2 : controller->stats_v1;
    if (!read) continue;
    any = any || ::access(place->dir.c_str(), F_OK) == 0;
    read(place->dir, stats);
  }
  if (!any) return fail(Code::NotFound, "no control group \"{}\"", path_);
  return stats;
}

Result<std::vector<pid_t>> Cgroup::processes() const {
  std::vector<pid_t> out;
  // Every hierarchy holds the same processes; one that something else (systemd) may rearrange comes last.
  for (const char* controller : {"devices", "pids", "memory", "freezer", "cpu"}) {
    auto found = host_->v1_roots.find(controller);
    if (found == host_->v1_roots.end()) continue;
    collect_processes(dir_in(found->second), out);
    return out;
  }
  if (!host_->v2_root.empty()) collect_processes(dir_in(host_->v2_root), out);
  return out;
}

Result<void> Cgroup::freeze() const {
  if (auto v1 = host_->v1_roots.find("freezer"); v1 != host_->v1_roots.end())
    return internal::set_frozen_v1(dir_in(v1->second), true);
  if (host_->v2_root.empty()) return fail(Code::NotImplemented, "this host has no freezer");
  return internal::set_frozen_v2(dir_in(host_->v2_root), true);
}

Result<void> Cgroup::thaw() const {
  if (auto v1 = host_->v1_roots.find("freezer"); v1 != host_->v1_roots.end())
    return internal::set_frozen_v1(dir_in(v1->second), false);
  if (host_->v2_root.empty()) return fail(Code::NotImplemented, "this host has no freezer");
  return internal::set_frozen_v2(dir_in(host_->v2_root), false);
}

Result<bool> Cgroup::is_frozen() const {
  if (auto v1 = host_->v1_roots.find("freezer"); v1 != host_->v1_roots.end())
    return internal::read_text(dir_in(v1->second), "freezer.state") == "FROZEN";
  if (host_->v2_root.empty()) return false;
  return internal::read_text(dir_in(host_->v2_root), "cgroup.freeze") == "1";
}

Result<void> Cgroup::kill_all() const {
  // One write kills all, those that are being forked too; on hybrid hosts the list below may know of more.
  if (!host_->v2_root.empty() && internal::has_file(dir_in(host_->v2_root), "cgroup.kill")) {
    auto killed = internal::write_value(dir_in(host_->v2_root), "cgroup.kill", "1");
    if (killed && host_->v1_roots.empty()) return {};
  }
  auto left = TRY(processes());
  if (left.empty()) return {};
  bool frozen = freeze().has_value();  // nothing forks while the list is worked through
  for (int round = 0; round < 10 && !left.empty(); ++round) {
    for (pid_t pid : left) ::kill(pid, SIGKILL);
    if (frozen) break;
    left = TRY(processes());
  }
  if (!frozen) return {};
  auto thawed = thaw();  // systemd may have removed the empty one already
  return thawed || thawed.error().errno_value() == ENOENT ? Result<void>() : std::move(thawed);
}

Result<uint64_t> Cgroup::oom_kills() const {
  if (auto v1 = host_->v1_roots.find("memory"); v1 != host_->v1_roots.end())
    return internal::read_flat(dir_in(v1->second), "memory.oom_control")["oom_kill"];
  if (host_->v2_root.empty()) return uint64_t{0};
  return internal::read_flat(dir_in(host_->v2_root), "memory.events")["oom_kill"];
}

Result<void> Cgroup::remove(std::chrono::milliseconds patience) const {
  auto dirs = host_->unique_v1_roots();
  if (!host_->v2_root.empty()) dirs.push_back(host_->v2_root);
  auto deadline = std::chrono::steady_clock::now() + patience;
  std::chrono::milliseconds pause{1};
  std::optional<Error> first;
  for (const auto& root : dirs) {
    for (;;) {
      auto removed = remove_dir(dir_in(root));
      if (removed) break;
      if (removed.error().errno_value() != EBUSY || std::chrono::steady_clock::now() >= deadline) {
        if (!first) first = std::move(removed).error();
        break;
      }
      internal::await_change(dir_in(root), pause);
      pause = std::min(pause * 2, std::chrono::milliseconds(20));
    }
  }
  if (first) return std::move(*first);
  return {};
}

}  // namespace sampan::cgroup
