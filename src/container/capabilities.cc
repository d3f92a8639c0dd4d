#include <algorithm>

#include "base/strings.h"
#include "container/plan.h"

namespace sampan::container {
namespace {

constexpr const char* kAll[] = {"CAP_CHOWN",
                                "CAP_DAC_OVERRIDE",
                                "CAP_DAC_READ_SEARCH",
                                "CAP_FOWNER",
                                "CAP_FSETID",
                                "CAP_KILL",
                                "CAP_SETGID",
                                "CAP_SETUID",
                                "CAP_SETPCAP",
                                "CAP_LINUX_IMMUTABLE",
                                "CAP_NET_BIND_SERVICE",
                                "CAP_NET_BROADCAST",
                                "CAP_NET_ADMIN",
                                "CAP_NET_RAW",
                                "CAP_IPC_LOCK",
                                "CAP_IPC_OWNER",
                                "CAP_SYS_MODULE",
                                "CAP_SYS_RAWIO",
                                "CAP_SYS_CHROOT",
                                "CAP_SYS_PTRACE",
                                "CAP_SYS_PACCT",
                                "CAP_SYS_ADMIN",
                                "CAP_SYS_BOOT",
                                "CAP_SYS_NICE",
                                "CAP_SYS_RESOURCE",
                                "CAP_SYS_TIME",
                                "CAP_SYS_TTY_CONFIG",
                                "CAP_MKNOD",
                                "CAP_LEASE",
                                "CAP_AUDIT_WRITE",
                                "CAP_AUDIT_CONTROL",
                                "CAP_SETFCAP",
                                "CAP_MAC_OVERRIDE",
                                "CAP_MAC_ADMIN",
                                "CAP_SYSLOG",
                                "CAP_WAKE_ALARM",
                                "CAP_BLOCK_SUSPEND",
                                "CAP_AUDIT_READ",
                                "CAP_PERFMON",
                                "CAP_BPF",
                                "CAP_CHECKPOINT_RESTORE"};

constexpr const char* kDefault[] = {"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
                                    "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
                                    "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
                                    "CAP_KILL",    "CAP_AUDIT_WRITE"};

/// "ALL" or a name with its prefix.
Result<std::string> canonical(const std::string& text) {
  std::string name = to_upper(text);
  if (name == "ALL") return name;
  if (!name.starts_with("CAP_")) name = "CAP_" + name;
  if (std::ranges::find(kAll, name) == std::end(kAll)) {
    return fail(Code::InvalidArgument, "invalid capability: \"{}\"", text);
  }
  return name;
}

Result<std::vector<std::string>> canonical_list(const std::optional<std::vector<std::string>>& list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const auto& text : *list) out.push_back(TRY(canonical(text)));
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

}  // namespace

std::span<const char* const> all_capabilities() {
  return kAll;
}

Result<std::vector<std::string>> plan_capabilities(const HostConfig& host) {
  if (host.privileged) return std::vector<std::string>(std::begin(kAll), std::end(kAll));
  auto add = TRY(canonical_list(host.cap_add));
  auto drop = TRY(canonical_list(host.cap_drop));
  auto is_default = [](const char* name) {
    return std::ranges::find(kDefault, std::string_view(name)) != std::end(kDefault);
  };
  std::vector<std::string> out;
  for (const char* name : kAll) {
    // A name beats ALL; ALL beats the default; with both, adding wins for what is named in neither.
    bool keep = contains(add, "ALL") || (is_default(name) && !contains(drop, "ALL"));
    if (contains(drop, name)) keep = false;
    if (contains(add, name)) keep = true;
    if (keep) out.emplace_back(name);
  }
  return out;
}

}  // namespace sampan::container
