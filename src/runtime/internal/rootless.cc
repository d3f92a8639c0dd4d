#include "runtime/internal/rootless.h"

#include <unistd.h>

#include "base/strings.h"
#include "runtime/internal/idmap.h"
#include "sys/credentials.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace sampan::runtime::internal {
namespace {

Result<void> check_rootless(const oci::Spec& spec) {
  bool made = false, root = false;
  for (const auto& ns : spec.linux_->namespaces) made = made || (ns.type == "user" && ns.path.empty());
  if (!made) return fail(Code::InvalidArgument, "rootless container requires user namespaces");
  if (spec.linux_->uid_mappings.empty())
    return fail(Code::InvalidArgument, "rootless containers requires at least one UID mapping");
  if (spec.linux_->gid_mappings.empty())
    return fail(Code::InvalidArgument, "rootless containers requires at least one GID mapping");
  for (const auto& mapping : spec.linux_->uid_mappings) root = root || (mapping.container_id == 0 && mapping.size > 0);
  if (!root) return fail(Code::InvalidArgument, "linux.uidMappings: rootless containers map a user to root");
  return {};
}

bool is_only(const std::vector<oci::IdMapping>& mappings, uint32_t own) {
  return mappings.size() == 1 && mappings[0].host_id == own && mappings[0].size == 1;
}

/// The set-uid programs know from /etc/subuid what the caller may map.
[[noreturn]] void run_mapper(const char* program, pid_t pid, const std::vector<oci::IdMapping>& mappings) {
  std::vector<std::string> words = {program, std::to_string(pid)};
  for (const auto& mapping : mappings)
    for (uint32_t number : {mapping.container_id, mapping.host_id, mapping.size})
      words.push_back(std::to_string(number));
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(program, argv.data());
  ::_exit(127);
}

Result<void> map_by_program(const char* program, pid_t pid, const std::vector<oci::IdMapping>& mappings) {
  auto child = TRY(sys::clone_process({}));
  if (child.pid == 0) run_mapper(program, pid, mappings);
  auto status = TRY(sys::reap(child.pid));
  if (status.shell_code() == 127)
    return fail(Code::NotFound, "{} is not installed, and more is mapped than the caller's own id", program);
  if (status.shell_code() != 0) return fail(Code::PermissionDenied, "{} refused the mapping", program);
  return {};
}

/// By a process that stayed outside. The caller's own id alone needs no privilege, but gives up setgroups(2).
Result<void> write_own_mappings(pid_t pid, const oci::Linux& section, uint32_t uid, uint32_t gid) {
  std::string proc = fmt::format("/proc/{}/", pid);
  if (is_only(section.uid_mappings, uid))
    TRY(sys::write_kernel_file(proc + "uid_map", format_mappings(section.uid_mappings)));
  else
    TRY(map_by_program("newuidmap", pid, section.uid_mappings));
  if (!is_only(section.gid_mappings, gid)) return map_by_program("newgidmap", pid, section.gid_mappings);
  TRY(sys::write_kernel_file(proc + "setgroups", "deny"));
  return sys::write_kernel_file(proc + "gid_map", format_mappings(section.gid_mappings));
}

Result<void> become_root() {
  TRY(sys::set_all_gids(0));
  return sys::set_all_uids(0);
}

}  // namespace

Result<void> become_root_of_own_namespace(const oci::Spec& spec) {
  TRY(check_rootless(spec));
  pid_t self = ::getpid();
  uint32_t uid = ::geteuid(), gid = ::getegid();
  auto [go, ready] = TRY(sys::make_pipe());
  auto [answer, said] = TRY(sys::make_pipe());
  auto outside = TRY(sys::clone_process({}));
  if (outside.pid == 0) {
    ready.reset();
    char byte[1];
    auto got = sys::read_some(go.get(), byte);
    if (!got || *got != 1) ::_exit(1);
    auto written = write_own_mappings(self, *spec.linux_, uid, gid);
    if (!written) (void)sys::write_all(said.get(), written.error().message());
    ::_exit(written ? 0 : 1);
  }
  go.reset();
  said.reset();
  auto unshared = sys::unshare_namespaces(sys::ns::kUser | sys::ns::kMount);
  if (unshared) unshared = sys::write_all(ready.get(), "g");
  ready.reset();  // without the byte the process outside ends
  auto status = TRY(sys::reap(outside.pid));
  TRY_CONTEXT(std::move(unshared), "rootless");
  if (status.shell_code() != 0)
    return fail(Code::PermissionDenied, "map user ids: {}", TRY(sys::read_fd(answer.get())));
  TRY_CONTEXT(become_root(), "rootless");
  return {};
}

Result<void> join_as_root(const sys::PidFd& init) {
  TRY_CONTEXT(sys::set_namespaces(init.get(), sys::ns::kUser), "join user namespace");
  TRY_CONTEXT(become_root(), "join user namespace");
  return {};
}

bool in_user_namespace() {
  auto text = sys::read_file("/proc/self/uid_map");
  return text && !trim(*text).ends_with(" 4294967295");
}

bool setgroups_denied(const std::string& process) {
  auto text = sys::read_file("/proc/" + process + "/setgroups");
  return text && trim(*text) == "deny";
}

bool wants_limits(const oci::Spec& spec) {
  if (!spec.linux_->resources) return false;
  const auto& asked = *spec.linux_->resources;
  return asked.memory || asked.cpu || asked.pids || asked.block_io || !asked.hugepage_limits.empty() || asked.network ||
         !asked.rdma.empty() || !asked.unified.empty();
}

}  // namespace sampan::runtime::internal
