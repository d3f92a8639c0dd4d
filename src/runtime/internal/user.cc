#include <unistd.h>

#include <algorithm>
#include <map>

#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/safe_path.h"

namespace sampan::runtime::internal {
namespace {

constexpr size_t kMaxUserFile = 10 << 20;

/// "" when it is missing; every other failure is one: a FIFO or a link out of the tree must not pass for "no entry".
Result<std::string> user_file(Child& child, const char* path) {
  auto text = sys::read_file_in_root(child.root.get(), path, kMaxUserFile);
  if (!text && (text.error().errno_value() == ENOENT || text.error().errno_value() == ENOTDIR)) return std::string();
  return text;
}

bool has_variable(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& entry) {
    return entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=';
  });
}

/// The last one of a name counts and stands where the first one stood: getenv(3) would find the first one.
std::vector<std::string> without_repeats(const std::vector<std::string>& env) {
  std::vector<std::string> out;
  std::map<std::string_view, size_t> places;
  for (const auto& entry : env) {
    std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    auto [place, fresh] = places.emplace(name, out.size());
    if (fresh)
      out.push_back(entry);
    else
      out[place->second] = entry;
  }
  return out;
}

}  // namespace

Result<void> resolve_identity(Child& child) {
  const auto& plan = child.process;
  child.env = without_repeats(plan.process->env);
  bool needs_home = !has_variable(child.env, "HOME");
  if (plan.user.empty()) {
    const auto& user = plan.process->user;
    child.identity.uid = user.uid;
    child.identity.gid = user.gid;
    set_supplementary(child.identity, {user.additional_gids.begin(), user.additional_gids.end()});
    if (!plan.group_add.empty()) TRY(add_groups(child.identity, plan.group_add, TRY(user_file(child, "/etc/group"))));
    if (needs_home) child.identity.home = home_of(user.uid, TRY(user_file(child, "/etc/passwd"))).value_or("/");
  } else {
    auto passwd = TRY(user_file(child, "/etc/passwd"));
    auto group = TRY(user_file(child, "/etc/group"));
    child.identity = TRY(resolve_user({plan.user, plan.group_add}, passwd, group));
  }
  if (needs_home) child.env.push_back("HOME=" + child.identity.home);
  return {};
}

Result<void> make_workdir(Child& child) {
  const std::string& cwd = child.process.process->cwd;
  if (!child.process.make_workdir || cwd.empty() || cwd == "/") return {};
  TRY_CONTEXT(sys::make_dirs_in_root(child.root.get(), cwd, 0755), "mkdir " + cwd);
  return {};
}

// The directory is found inside the root without magic links, and afterwards must have a name there: a descriptor of a
// host directory that leaked into this process can be no working directory (CVE-2024-21626).
Result<void> enter_workdir(Child& child) {
  std::string cwd = child.process.process->cwd.empty() ? "/" : child.process.process->cwd;
  if (!cwd.starts_with('/')) return fail(Code::InvalidArgument, "Cwd must be an absolute path: \"{}\"", cwd);
  auto dir = sys::open_dir_in_root(child.root.get(), cwd);
  bool entered = dir && ::fchdir(dir->get()) == 0;
  if (!entered) {
    Error error = dir ? sys::sys_error("chdir", cwd) : std::move(dir).error();
    // Perhaps the user may enter what root may not (NFS): it is tried once more after the ids are set.
    if (error.errno_value() == EACCES && !child.workdir_denied) {
      child.workdir_denied = true;
      return {};
    }
    return Error(error.code(), fmt::format("chdir to cwd (\"{}\") set in config.json failed: {}", cwd, error.message()),
                 error.errno_value());
  }
  child.workdir_denied = false;
  char name[4096];
  if (!::getcwd(name, sizeof name) || name[0] != '/')
    return fail(Code::PermissionDenied, "current working directory is outside of container mount namespace root");
  return {};
}

}  // namespace sampan::runtime::internal
