#include "runtime/internal/devices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "base/strings.h"
#include "runtime/internal/steps.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/safe_path.h"

namespace sampan::runtime::internal {
namespace {

struct Link {
  const char* name;
  const char* target;
};
constexpr Link kLinks[] = {{"fd", "/proc/self/fd"},
                           {"stdin", "/proc/self/fd/0"},
                           {"stdout", "/proc/self/fd/1"},
                           {"stderr", "/proc/self/fd/2"}};

unsigned file_type(const std::string& type) {
  if (type == "c" || type == "u") return S_IFCHR;
  if (type == "b") return S_IFBLK;
  if (type == "p") return S_IFIFO;
  return 0;
}

/// What is already there counts when it is the very same device. Another file is in the way of a device that was asked
/// for; of one that every container has, it is the image's own and must go, or what was mounted there and stays.
Result<bool> is_there(int dir, const std::string& name, unsigned type, dev_t number, bool asked) {
  struct stat info;
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return sys::sys_error("stat", name);
  if ((info.st_mode & S_IFMT) == type && (type == S_IFIFO || info.st_rdev == number)) return true;
  if (asked) return fail(Code::AlreadyExists, "another file is in the place of the device");
  if (::unlinkat(dir, name.c_str(), 0) == 0) return false;
  if (errno == EBUSY) return true;
  return sys::sys_error("unlink", name);
}

Result<void> make_node(int dir, const std::string& name, const oci::Device& device, bool asked) {
  unsigned type = file_type(device.type);
  if (type == 0)
    return fail(Code::InvalidArgument, "\"{}\" is not a valid device type for \"{}\"", device.type, device.path);
  dev_t number = makedev(static_cast<unsigned>(device.major), static_cast<unsigned>(device.minor));
  unsigned mode = device.file_mode.value_or(0666) & 07777;
  if (::mknodat(dir, name.c_str(), type | mode, number) < 0) {
    if (errno != EEXIST) return sys::sys_error("mknod", device.path);
    if (TRY(is_there(dir, name, type, number, asked))) return {};
    if (::mknodat(dir, name.c_str(), type | mode, number) < 0) return sys::sys_error("mknod", device.path);
  }
  if (device.uid.value_or(0) == 0 && device.gid.value_or(0) == 0) return {};
  if (::fchownat(dir, name.c_str(), device.uid.value_or(0), device.gid.value_or(0), AT_SYMLINK_NOFOLLOW) < 0)
    return sys::sys_error("chown", device.path);
  return {};
}

/// A host node bound over an empty file: for containers in a user namespace, which may not make nodes.
Result<void> bind_node(int dir, const std::string& name, const PreparedDevice& prepared) {
  int raw = ::openat(dir, name.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (raw < 0 && errno != EEXIST) return sys::sys_error("create", prepared.device.path);
  sys::Fd created(raw);
  auto target = TRY(sys::open_at(dir, name, O_PATH | O_NOFOLLOW));
  return sys::attach_mount(prepared.source, target.get());
}

bool is_node_of(const std::string& path, const oci::Device& device) {
  struct stat info;
  if (::stat(path.c_str(), &info) < 0 || (info.st_mode & S_IFMT) != file_type(device.type)) return false;
  return device.type == "p" || (gnu_dev_major(info.st_rdev) == static_cast<unsigned>(device.major) &&
                                gnu_dev_minor(info.st_rdev) == static_cast<unsigned>(device.minor));
}

bool is_asked(const Child& child, const std::string& path) {
  const auto& asked = child.container->spec->linux_->devices;
  return std::any_of(asked.begin(), asked.end(), [&](const oci::Device& device) { return device.path == path; });
}

Result<void> make_device(Child& child, int dev, const PreparedDevice& prepared) {
  const std::string& path = prepared.device.path;
  sys::DirFd parent;
  std::string name;
  int dir = dev;
  if (path.starts_with("/dev/") && path.find('/', 5) == std::string::npos) {
    name = path.substr(5);
    if (name.empty() || name == "." || name == "..") return fail(Code::InvalidArgument, "bad device path \"{}\"", path);
  } else {
    size_t slash = path.rfind('/');
    if (slash == std::string::npos) return fail(Code::InvalidArgument, "bad device path \"{}\"", path);
    TRY(sys::make_dirs_in_root(child.root.get(), path.substr(0, slash), 0755));
    std::tie(parent, name) = TRY(sys::open_parent_in_root(child.root.get(), path));
    dir = parent.get();
  }
  return prepared.source.valid() ? bind_node(dir, name, prepared)
                                 : make_node(dir, name, prepared.device, is_asked(child, path));
}

Result<void> make_link(int dir, const char* name, const char* target, bool replace) {
  if (::symlinkat(target, dir, name) == 0) return {};
  if (errno != EEXIST) return sys::sys_error("symlink", name);
  if (!replace) return {};
  if (::unlinkat(dir, name, 0) < 0) return sys::sys_error("unlink", name);
  if (::symlinkat(target, dir, name) < 0) return sys::sys_error("symlink", name);
  return {};
}

bool dev_is_bound(const ContainerPlan& plan) {
  for (const auto& mount : plan.mounts)
    if (mount.source.valid() && (mount.mount->destination == "/dev" || mount.mount->destination == "/dev/"))
      return true;
  return false;
}

}  // namespace

std::vector<oci::Device> default_devices() {
  auto device = [](const char* path, int64_t major, int64_t minor) {
    return oci::Device{path, "c", major, minor, 0666, {}, {}};
  };
  return {device("/dev/null", 1, 3),   device("/dev/zero", 1, 5),    device("/dev/full", 1, 7),
          device("/dev/random", 1, 8), device("/dev/urandom", 1, 9), device("/dev/tty", 5, 0)};
}

std::vector<oci::DeviceRule> device_rules(const std::vector<oci::DeviceRule>& asked) {
  auto allow = [](const char* type, std::optional<int64_t> major, std::optional<int64_t> minor, const char* access) {
    return oci::DeviceRule{true, type, major, minor, access};
  };
  std::vector<oci::DeviceRule> rules = {{false, "a", {}, {}, "rwm"}};
  for (const auto& rule : asked) {
    // Refusing everything is where the list starts; once is enough, and on version 1 a second time would forget the
    // rest.
    bool everything = (rule.type.empty() || rule.type == "a") && !rule.major && !rule.minor;
    if (!rule.allow && everything)
      rules.resize(1);
    else
      rules.push_back(rule);
  }
  const oci::DeviceRule needed[] = {
      allow("c", {}, {}, "m"),    allow("b", {}, {}, "m"), allow("c", 1, 3, "rwm"), allow("c", 1, 8, "rwm"),
      allow("c", 1, 7, "rwm"),    allow("c", 5, 0, "rwm"), allow("c", 1, 5, "rwm"), allow("c", 1, 9, "rwm"),
      allow("c", 136, {}, "rwm"), allow("c", 5, 2, "rwm"),
  };
  rules.insert(rules.end(), std::begin(needed), std::end(needed));
  return rules;
}

std::string host_node(const oci::Device& device) {
  if (is_node_of(device.path, device)) return device.path;
  auto facts = sys::read_file(
      fmt::format("/sys/dev/{}/{}:{}/uevent", device.type == "b" ? "block" : "char", device.major, device.minor), 4096);
  if (!facts) return device.path;
  for (const auto& line : split(*facts, '\n')) {
    constexpr std::string_view kName = "DEVNAME=";
    if (!line.starts_with(kName)) continue;
    std::string path = "/dev/" + std::string(line.substr(kName.size()));
    if (is_node_of(path, device)) return path;
  }
  return device.path;
}

// The image's /dev may be a link to somewhere: it is opened as a real directory or not at all (CVE-2026-41579).
Result<sys::Fd> open_dev(int root) {
  if (::mkdirat(root, "dev", 0755) < 0 && errno != EEXIST) return sys::sys_error("mkdir", "/dev");
  return sys::open_at(root, "dev", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> make_devices(Child& child) {
  if (!child.container->own_mount_namespace || dev_is_bound(*child.container)) return {};
  auto dev = TRY(open_dev(child.root.get()));
  for (const auto& prepared : child.container->devices)
    TRY_CONTEXT(make_device(child, dev.get(), prepared), prepared.device.path);
  for (const auto& link : kLinks) TRY(make_link(dev.get(), link.name, link.target, false));
  if (::access("/proc/kcore", F_OK) == 0) TRY(make_link(dev.get(), "core", "/proc/kcore", false));
  return make_link(dev.get(), "ptmx", "pts/ptmx", true);
}

}  // namespace sampan::runtime::internal
