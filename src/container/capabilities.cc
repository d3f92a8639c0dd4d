#include <algorithm>

#include "base/strings.h"
#include "container/plan.h"
#include "sys/credentials.h"

namespace sampan::container {
namespace {

constexpr std::string_view kDefault[] = {"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
                                         "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
                                         "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
                                         "CAP_KILL",    "CAP_AUDIT_WRITE"};

/// "ALL" or a name with its prefix.
Result<std::string> canonical(const std::string& text, const char* field) {
  std::string name = to_upper(text);
  if (name == "ALL") return name;
  if (!name.starts_with("CAP_")) name = "CAP_" + name;
  if (!sys::capability_of_name(name)) {
    return fail(Code::InvalidArgument, "invalid {}: unknown capability: \"{}\"", field, name);
  }
  return name;
}

Result<std::vector<std::string>> canonical_list(const std::optional<std::vector<std::string>>& list,
                                                const char* field) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const auto& text : *list) out.push_back(TRY(canonical(text, field)));
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

}  // namespace

Result<std::vector<std::string>> plan_capabilities(const HostConfig& host) {
  auto all = sys::capability_names();
  if (host.privileged) return std::vector<std::string>(all.begin(), all.end());
  auto add = TRY(canonical_list(host.cap_add, "CapAdd"));
  auto drop = TRY(canonical_list(host.cap_drop, "CapDrop"));
  auto is_default = [](std::string_view name) { return std::ranges::find(kDefault, name) != std::end(kDefault); };
  std::vector<std::string> out;
  for (std::string_view name : all) {
    // A name beats ALL; ALL beats the default; with both, adding wins for what is named in neither.
    bool keep = contains(add, "ALL") || (is_default(name) && !contains(drop, "ALL"));
    if (contains(drop, name)) keep = false;
    if (contains(add, name)) keep = true;
    if (keep) out.emplace_back(name);
  }
  return out;
}

}  // namespace sampan::container
