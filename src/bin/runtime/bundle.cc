#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "bin/runtime/context.h"
#include "codec/text.h"
#include "sys/file.h"

namespace sampan::bin {
namespace {

/// Errors: in the words that callers of the reference runtime know: "chdir /x: no such file or directory".
Result<std::string> absolute(const char* purpose, const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved)) return std::string(resolved);
  int err = errno;
  std::string reason = ::strerror(err);
  reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
  return Error(code_of_errno(err), fmt::format("{} {}: {}", purpose, path, reason), err);
}

/// What the library refuses, and what it leaves to its other callers.
Result<void> check_spec(const oci::Spec& spec) {
  TRY(runtime::check_spec(spec));
  if (spec.process->cwd.empty()) return fail(Code::InvalidArgument, "Cwd property must not be empty");
  if (!spec.root) return fail(Code::InvalidArgument, "root must be specified");
  return {};
}

/// Everything that decides what is compiled, as one string: a cache entry holds it whole and is compared with it, so
/// that its name needs no cryptography.
std::string cache_text(const oci::Seccomp& section) {
  std::string text = SAMPAN_VERSION "\x1f" + section.default_action + "\x1f" +
                     (section.default_errno_ret ? std::to_string(*section.default_errno_ret) : "-");
  for (const auto& name : section.architectures) text += "\x1f" + name;
  for (const auto& rule : section.syscalls) {
    text += "\x1e" + rule.action + "\x1f" + (rule.errno_ret ? std::to_string(*rule.errno_ret) : "-");
    for (const auto& name : rule.names) text += "\x1f" + name;
    for (const auto& arg : rule.args)
      text += fmt::format("\x1d{} {} {} {}", arg.index, arg.value, arg.value_two, arg.op);
  }
  return text + '\0';
}

/// FNV-1a, a file's name.
std::string cache_name(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

}  // namespace

Result<Bundle> load_bundle(const std::string& path) {
  Bundle bundle;
  bundle.owner_uid = ::getuid();
  bundle.path = TRY(absolute("chdir", path.empty() ? "." : path));
  auto text = sys::read_file(bundle.path + "/config.json");
  if (!text && text.error().errno_value() == ENOENT)
    return fail(Code::NotFound, "JSON specification file config.json not found");
  bundle.spec = TRY_CONTEXT(oci::parse_spec(TRY(std::move(text))), "config.json");
  TRY(check_spec(bundle.spec));
  if (int count = handed_down_descriptors()) {
    bundle.spec.process->env.push_back(fmt::format("LISTEN_FDS={}", count));
    bundle.spec.process->env.emplace_back("LISTEN_PID=1");
  }
  const std::string& root = bundle.spec.root->path;
  bundle.rootfs = TRY(absolute("invalid rootfs: stat", root.starts_with('/') ? root : bundle.path + "/" + root));
  // Relative sources of bind mounts are the bundle's.
  for (auto& mount : bundle.spec.mounts) {
    if (is_bind(mount) && !mount.source.starts_with('/')) mount.source = bundle.path + "/" + mount.source;
  }
  return bundle;
}

Result<runtime::SeccompProgram> cached_seccomp(const std::string& root, const oci::Seccomp& section) {
  std::string text = cache_text(section);
  std::string dir = root + "/.seccomp-cache", file = dir + "/" + cache_name(text);
  if (auto known = sys::read_file(file); known && known->starts_with(text)) {
    std::string_view bytes = std::string_view(*known).substr(text.size());
    runtime::SeccompProgram program(bytes.size() / sizeof(uint64_t));
    if (!program.empty() && bytes.size() % sizeof(uint64_t) == 0) {
      bytes.copy(reinterpret_cast<char*>(program.data()), bytes.size());
      return program;
    }
  }
  auto program = TRY_CONTEXT(runtime::compile_seccomp(section), "seccomp");
  text.append(reinterpret_cast<const char*>(program.data()), program.size() * sizeof(uint64_t));
  // A cache that cannot be written costs time, nothing else.
  if (sys::make_dirs(dir, 0700)) (void)sys::replace_file(file, text, 0600, sys::Durable::No);
  return program;
}

std::string now_text() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return codec::format_rfc3339({now.tv_sec * 1'000'000'000LL + now.tv_nsec});
}

void Context::log_timings(const std::vector<runtime::StepTime>& timings) const {
  for (const auto& timing : timings) log_debug(fmt::format("{}: {} ns", timing.step, timing.nanoseconds));
}

bool is_bind(const oci::Mount& mount) {
  bool bind = mount.type == "bind";
  for (const auto& option : mount.options) bind = bind || option == "bind" || option == "rbind";
  return bind;
}

Record record_of(const Bundle& bundle, const std::string& id) {
  Record record;
  record.id = id;
  record.bundle = bundle.path;
  record.rootfs = bundle.rootfs;
  record.created = now_text();
  record.cgroup_path = runtime::cgroup_path_of(bundle.spec, id);
  if (bundle.unit) record.systemd_unit = bundle.unit->unit;
  record.owner_uid = bundle.owner_uid;
  remember_spec(record, bundle.spec);
  return record;
}

Result<Record> record_of(const Bundle& bundle, const std::string& id, pid_t pid) {
  Record record = record_of(bundle, id);
  record.pid = pid;
  record.pid_start = process_start(pid);
  if (record.pid_start == 0) return fail(Code::Unavailable, "container init {} has gone", pid);
  return record;
}

Result<void> write_pid_file(const std::string& path, pid_t pid) {
  if (path.empty()) return {};
  return sys::replace_file(path, std::to_string(pid), 0644, sys::Durable::No);
}

int handed_down_descriptors() {
  const char *count = ::getenv("LISTEN_FDS"), *pid = ::getenv("LISTEN_PID");
  if (!count || !pid || parse_int(pid) != ::getpid()) return 0;
  return static_cast<int>(std::clamp<int64_t>(parse_int(count).value_or(0), 0, 1024));
}

Result<std::vector<int>> preserved(const Args& args, int handed_down) {
  std::vector<int> fds;
  auto count = TRY(args.number("preserve-fds")).value_or(0) + handed_down;
  for (int fd = 3; fd < 3 + count; ++fd) fds.push_back(fd);
  return fds;
}

void print(std::string_view text) {
  (void)sys::write_all(1, text);
}

Result<std::string> container_id(const Context& context) {
  if (context.args.rest().empty() || context.args.rest()[0].empty())
    return fail(Code::InvalidArgument, "container id cannot be empty");
  return context.args.rest()[0];
}

}  // namespace sampan::bin
