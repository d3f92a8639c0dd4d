#include <algorithm>

#include "base/strings.h"
#include "cgroup/cgroup.h"
#include "cgroup/internal/files.h"
#include "cgroup/internal/hierarchies.h"
#include "sys/file.h"

namespace sampan::cgroup {
namespace {

/// One line of mountinfo: mount point, filesystem type, superblock options.
struct MountLine {
  std::string point, type, options;
};

/// Spaces, tabs, newlines and backslashes of a path are written in octal.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    std::string_view digits = text.substr(at + 1, 3);
    bool octal = text[at] == '\\' && digits.size() == 3 && digits[0] <= '3' &&
                 digits.find_first_not_of("01234567") == std::string_view::npos;
    if (octal) at += 3;
    out += octal ? static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0')) : text[at];
  }
  return out;
}

std::optional<MountLine> parse_mount_line(std::string_view line) {
  size_t dash = line.find(" - ");
  if (dash == std::string::npos) return std::nullopt;
  auto left = split(line.substr(0, dash), ' ');
  auto right = split(line.substr(dash + 3), ' ');
  if (left.size() < 5 || right.size() < 3) return std::nullopt;
  return MountLine{unescape(left[4]), right[0], right[2]};
}

bool is_superblock_option(const std::string& option) {
  static constexpr std::string_view kKnown[] = {
      "rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods", "nsdelegate"};
  return std::find(std::begin(kKnown), std::end(kKnown), option) != std::end(kKnown) ||
         option.starts_with("release_agent");
}

}  // namespace

bool HostCgroups::has(std::string_view controller) const {
  return v1_roots.contains(std::string(controller)) ||
         std::find(v2_controllers.begin(), v2_controllers.end(), controller) != v2_controllers.end();
}

std::vector<std::string> HostCgroups::unique_v1_roots() const {
  std::vector<std::string> roots;
  for (const auto& [controller, root] : v1_roots)
    if (std::find(roots.begin(), roots.end(), root) == roots.end()) roots.push_back(root);
  return roots;
}

HostCgroups internal::parse_hierarchies(std::string_view mountinfo) {
  HostCgroups host;
  while (!mountinfo.empty()) {
    std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(line.size() + 1, mountinfo.size()));
    if (line.find(" - cgroup") == line.npos) continue;  // hosts have thousands of other mounts
    auto mount = parse_mount_line(line);
    if (!mount) continue;
    if (mount->type == "cgroup2" && host.v2_root.empty()) host.v2_root = mount->point;
    if (mount->type != "cgroup") continue;
    for (auto& option : split(mount->options, ','))
      if (!option.empty() && !is_superblock_option(option)) host.v1_roots.emplace(option, mount->point);
  }
  return host;
}

std::string internal::parent_of_own(std::string_view memberships) {
  std::string_view own = trim(memberships);
  bool version_2_alone = own.starts_with("0::/") && own.find('\n') == own.npos;
  if (!version_2_alone || own.find("/..") != own.npos) return "";  // seen from a namespace that does not hold it
  own.remove_prefix(3);
  return std::string(own.substr(0, own.rfind('/')));
}

std::string base_of_relative_paths() {
  auto text = sys::read_file("/proc/self/cgroup", 1 << 20);
  return text ? internal::parent_of_own(*text) : "";
}

Result<HostCgroups> detect_host() {
  HostCgroups host = internal::parse_hierarchies(TRY(sys::read_file("/proc/self/mountinfo")));
  if (!host.v2_root.empty())
    host.v2_controllers = internal::words(internal::read_text(host.v2_root, "cgroup.controllers"));
  if (host.v2_root.empty() && host.v1_roots.empty()) return fail(Code::NotFound, "no control groups are mounted");
  host.version = host.v1_roots.empty() ? Version::V2 : host.v2_root.empty() ? Version::V1 : Version::Hybrid;
  return host;
}

}  // namespace sampan::cgroup
