#include <fcntl.h>

#include <algorithm>

#include "runtime/internal/steps.h"
#include "runtime/internal/sysctl.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/safe_path.h"

namespace sampan::runtime::internal {
namespace {

constexpr std::string_view kIpcKeys[] = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                                         "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};

bool has_namespace(const Child& child, uint64_t type) {
  if (child.wants(type)) return true;
  return std::any_of(child.container->joins.begin(), child.container->joins.end(),
                     [&](const NamespaceJoin& join) { return join.type == type; });
}

Result<void> check_namespaced(const Child& child, const std::string& key) {
  uint64_t needed = namespace_of_sysctl(key);
  if (needed == 0) return fail(Code::InvalidArgument, "sysctl \"{}\" is not in a separate kernel namespace", key);
  if (!has_namespace(child, needed))
    return fail(Code::InvalidArgument, "sysctl \"{}\" is not allowed in the hosts kernel namespace", key);
  return {};
}

}  // namespace

uint64_t namespace_of_sysctl(std::string_view name) {
  // Both spellings are one name; what the other separator stands for in the dotted one does not decide here.
  std::string key(name);
  if (key.find('/') < key.find('.')) std::replace(key.begin(), key.end(), '/', '.');
  if (std::find(std::begin(kIpcKeys), std::end(kIpcKeys), key) != std::end(kIpcKeys)) return sys::ns::kIpc;
  if (key.starts_with("fs.mqueue.")) return sys::ns::kIpc;
  if (key.starts_with("net.")) return sys::ns::kNet;
  if (key == "kernel.domainname" || key == "kernel.hostname") return sys::ns::kUts;
  if (key.starts_with("user.")) return sys::ns::kUser;
  return 0;
}

Result<std::string> path_of_sysctl(std::string_view key) {
  std::string path = "sys/";
  // In the dotted form a slash stands for a dot inside a name ("net.ipv4.conf.eth0/1.forwarding").
  size_t dot = key.find('.'), slash = key.find('/');
  bool dotted = dot < slash;
  for (char c : key) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                 c == ':' || c == '@' || c == '*';
    if (!plain && c != '.' && c != '/') return fail(Code::InvalidArgument, "bad sysctl name \"{}\"", key);
    path += !dotted ? c : c == '.' ? '/' : c == '/' ? '.' : c;
  }
  bool climbs = path.find("/../") != std::string::npos || path.ends_with("/..") || path.find("//") != std::string::npos;
  if (key.empty() || climbs) return fail(Code::InvalidArgument, "bad sysctl name \"{}\"", key);
  return path;
}

Result<int> private_proc(Child& child) {
  if (!child.proc.valid()) {
    auto fs = TRY(sys::open_fs("proc"));
    TRY(sys::set_fs_string(fs, "source", "proc"));
    child.proc = TRY(sys::make_fs_mount(fs, sys::attr::kNoSuid | sys::attr::kNoDev | sys::attr::kNoExec));
  }
  return child.proc.get();
}

Result<void> write_sysctls(Child& child) {
  const auto& spec = *child.container->spec;
  if (!spec.linux_) return {};
  for (const auto& [key, value] : spec.linux_->sysctl) {
    if (key == "kernel.hostname" || key == "kernel/hostname")
      return fail(Code::InvalidArgument, "sysctl \"{}\" is not allowed as it conflicts with the OCI \"hostname\" field",
                  key);
    TRY(check_namespaced(child, key));
    if (value.find_first_of(std::string_view("\n\0", 2)) != std::string::npos)
      return fail(Code::InvalidArgument, "sysctl \"{}\": a value is one line", key);
    auto path = TRY(path_of_sysctl(key));
    auto file = TRY_CONTEXT(sys::open_in_root(TRY(private_proc(child)), path, O_WRONLY | O_NOFOLLOW), "sysctl " + key);
    TRY_CONTEXT(sys::write_all(file.get(), value), "sysctl " + key);
  }
  return {};
}

}  // namespace sampan::runtime::internal
