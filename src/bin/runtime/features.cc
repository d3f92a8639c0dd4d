// features: what this build can do on this kernel, in the layout of the runtime specification's features.md.
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "codec/json.h"
#include "runtime/seccomp_library.h"
#include "sys/credentials.h"
#include "sys/file.h"
#include "sys/kernel_features.h"

namespace sampan::bin {
namespace {

namespace json = codec::json;

constexpr std::string_view kHooks[] = {"prestart",       "createRuntime", "createContainer",
                                       "startContainer", "poststart",     "poststop"};
constexpr std::string_view kOperators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE",        "SCMP_CMP_GT", "SCMP_CMP_LE",
                                           "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"};
constexpr std::string_view kArchitectures[] = {
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",      "SCMP_ARCH_MIPS",    "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_PARISC",  "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",     "SCMP_ARCH_PPC64",    "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",     "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",   "SCMP_ARCH_X32",      "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64"};
/// Options of one mount; each but the last few also exists with an "r" in front, for everything below it too.
constexpr std::string_view kAttributes[] = {
    "atime",      "dev",           "diratime", "exec",        "noatime",  "nodev",     "nodiratime", "noexec",
    "norelatime", "nostrictatime", "nosuid",   "nosymfollow", "relatime", "ro",        "rw",         "strictatime",
    "suid",       "symfollow",     "private",  "shared",      "slave",    "unbindable"};
constexpr std::string_view kMountOptions[] = {"async", "bind",    "defaults",   "dirsync",    "lazytime",
                                              "loud",  "mand",    "noiversion", "nolazytime", "nomand",
                                              "rbind", "remount", "sync",       "tmpcopyup"};

struct Action {
  std::string_view name, kernel;  // the kernel's word in actions_avail
};
constexpr Action kActions[] = {
    {"SCMP_ACT_ALLOW", "allow"},
    {"SCMP_ACT_ERRNO", "errno"},
    {"SCMP_ACT_KILL", "kill_thread"},
    {"SCMP_ACT_KILL_PROCESS", "kill_process"},
    {"SCMP_ACT_KILL_THREAD", "kill_thread"},
    {"SCMP_ACT_LOG", "log"},
    {"SCMP_ACT_NOTIFY", "user_notif"},
    {"SCMP_ACT_TRACE", "trace"},
    {"SCMP_ACT_TRAP", "trap"},
};

struct SeccompFlag {
  std::string_view name;
  unsigned value;
};
constexpr SeccompFlag kSeccompFlags[] = {{"SECCOMP_FILTER_FLAG_LOG", sys::seccomp_flag::kLog},
                                         {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", sys::seccomp_flag::kSpecAllow},
                                         {"SECCOMP_FILTER_FLAG_TSYNC", sys::seccomp_flag::kTsync},
                                         {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", sys::seccomp_flag::kWaitKillable}};

template <typename Range>
json::array texts(const Range& range) {
  json::array out;
  for (std::string_view text : range) out.emplace_back(text);
  return out;
}

std::string kernel_text(const std::string& path) {
  auto text = sys::read_file(path, 65536);
  return text ? std::string(trim(*text)) : std::string();
}

json::array capabilities() {
  json::array out;
  auto last = parse_uint(kernel_text("/proc/sys/kernel/cap_last_cap")).value_or(63);
  for (unsigned i = 0; i <= last && !sys::capability_name(i).empty(); ++i) out.emplace_back(sys::capability_name(i));
  return out;
}

json::array namespaces() {
  constexpr std::pair<std::string_view, const char*> kNames[] = {{"cgroup", "cgroup"}, {"ipc", "ipc"}, {"mount", "mnt"},
                                                                 {"network", "net"},   {"pid", "pid"}, {"time", "time"},
                                                                 {"user", "user"},     {"uts", "uts"}};
  json::array out;
  for (const auto& [name, file] : kNames)
    if (sys::path_exists(std::string("/proc/self/ns/") + file)) out.emplace_back(name);
  return out;
}

json::array mount_options(bool idmapped) {
  std::vector<std::string> names(std::begin(kMountOptions), std::end(kMountOptions));
  for (std::string_view attribute : kAttributes) {
    names.emplace_back(attribute);
    names.push_back("r" + std::string(attribute));
  }
  if (idmapped) names.insert(names.end(), {"idmap", "ridmap"});
  std::sort(names.begin(), names.end());
  return texts(names);
}

/// An action counts when both the kernel knows it and a filter with it can be compiled.
json::object seccomp() {
  auto offered = split(kernel_text("/proc/sys/kernel/seccomp/actions_avail"), ' ');
  json::array actions, known, supported;
  for (const auto& action : kActions) {
    oci::Seccomp section;
    bool plain = action.name == "SCMP_ACT_ALLOW";
    section.default_action = plain ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW";
    section.syscalls.push_back({{"getpid"}, std::string(action.name), {}, {}});
    bool has = std::find(offered.begin(), offered.end(), action.kernel) != offered.end();
    if (has && runtime::compile_seccomp(section)) actions.emplace_back(action.name);
  }
  for (const auto& flag : kSeccompFlags) {
    known.emplace_back(flag.name);
    if (sys::has_seccomp_flag(flag.value)) supported.emplace_back(flag.name);
  }
  bool enabled = !actions.empty();
  return {{"enabled", enabled},
          {"actions", std::move(actions)},
          {"operators", texts(kOperators)},
          {"archs", texts(kArchitectures)},
          {"knownFlags", std::move(known)},
          {"supportedFlags", std::move(supported)}};
}

json::object cgroups() {
  std::string filesystems = kernel_text("/proc/filesystems") + "\n", controllers = kernel_text("/proc/cgroups");
  bool rdma = controllers.find("rdma\t") != std::string::npos;
  if (auto host = cgroup::detect_host()) rdma = rdma || host->has("rdma");
  return {{"v1", filesystems.find("\tcgroup\n") != std::string::npos},
          {"v2", filesystems.find("\tcgroup2\n") != std::string::npos},
          {"systemd", true},
          {"systemdUser", false},
          {"rdma", rdma}};
}

json::object enabled(bool value) {
  return {{"enabled", value}};
}

Result<int> features(Context&) {
  bool attributes = sys::has_mount_setattr();
  json::object linux_part = {
      {"namespaces", namespaces()},
      {"capabilities", capabilities()},
      {"cgroup", cgroups()},
      {"seccomp", seccomp()},
      {"apparmor", enabled(kernel_text("/sys/module/apparmor/parameters/enabled") == "Y")},
      {"selinux", enabled(sys::path_exists("/sys/fs/selinux/enforce"))},
      {"intelRdt", enabled(false)},
      {"mountExtensions", {{"idmap", enabled(attributes)}}},
  };
  json::object out = {{"ociVersionMin", "1.0.0"},
                      {"ociVersionMax", "1.2.0"},
                      {"hooks", texts(kHooks)},
                      {"mountOptions", mount_options(attributes)},
                      {"linux", std::move(linux_part)},
                      {"annotations",
                       {{"io.github.seccomp.libseccomp.version", runtime::seccomp_library_version()},
                        {"org.sampan.version", SAMPAN_VERSION}}}};
  print(codec::format_json_pretty(out, 4) + "\n");
  return 0;
}

constexpr Command kCommands[] = {
    {"features", "", "show the enabled features", {}, features},
};

}  // namespace

std::span<const Command> features_commands() {
  return kCommands;
}

}  // namespace sampan::bin
