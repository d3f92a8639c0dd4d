#include "sys/old_mount_flags.h"

#include <linux/mount.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "sys/mount.h"

namespace sampan::sys {
namespace {

struct Attribute {
  uint64_t attribute;
  unsigned long mount_flag, stat_flag;
};
constexpr unsigned long kMsNoSymFollow = 256;
constexpr Attribute kAttributes[] = {
    {attr::kReadOnly, MS_RDONLY, ST_RDONLY},
    {attr::kNoSuid, MS_NOSUID, ST_NOSUID},
    {attr::kNoDev, MS_NODEV, ST_NODEV},
    {attr::kNoExec, MS_NOEXEC, ST_NOEXEC},
    {attr::kNoDirAtime, MS_NODIRATIME, ST_NODIRATIME},
    {attr::kNoSymFollow, kMsNoSymFollow, kStatNoSymFollow},
};

// Words that belong to every file system: those without a flag are the defaults.
constexpr std::pair<std::string_view, unsigned long> kCommon[] = {
    {"ro", MS_RDONLY},     {"rw", 0},     {"sync", MS_SYNCHRONOUS},  {"async", 0},      {"dirsync", MS_DIRSYNC},
    {"mand", MS_MANDLOCK}, {"nomand", 0}, {"lazytime", MS_LAZYTIME}, {"nolazytime", 0}, {"silent", MS_SILENT}};

/// A path of mountinfo, where spaces and the like are octal.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct MountLine {
  int64_t parent;
  std::string point;
  bool shared;
};

std::map<int64_t, MountLine> mounts_by_id(std::string_view mountinfo) {
  std::map<int64_t, MountLine> lines;
  for (const auto& line : split(mountinfo, '\n')) {
    auto fields = split(line, ' ');
    if (fields.size() < 7) continue;
    bool shared = false;
    for (size_t i = 6; i < fields.size() && fields[i] != "-"; ++i) shared = shared || fields[i].starts_with("shared:");
    auto id = parse_int(fields[0]), parent = parse_int(fields[1]);
    if (id && parent) lines[*id] = {*parent, unescaped(fields[4]), shared};
  }
  return lines;
}

}  // namespace

unsigned long mount_flags_of(uint64_t attributes) {
  unsigned long flags = 0;
  for (const auto& known : kAttributes)
    if (attributes & known.attribute) flags |= known.mount_flag;
  uint64_t atime = attributes & attr::kAtimeMask;
  return flags | (atime == attr::kNoatime ? MS_NOATIME : atime == attr::kStrictAtime ? MS_STRICTATIME : MS_RELATIME);
}

uint64_t attributes_of_statvfs(unsigned long flags) {
  uint64_t attributes = flags & ST_NOATIME    ? attr::kNoatime
                        : flags & ST_RELATIME ? attr::kRelatime
                                              : attr::kStrictAtime;
  for (const auto& known : kAttributes)
    if (flags & known.stat_flag) attributes |= known.attribute;
  return attributes;
}

Result<void> add_parameter(MountData& to, std::string_view key, const std::string* value) {
  if (value && key == "source") {
    to.source = *value;
    return {};
  }
  for (const auto& [word, flag] : kCommon)
    if (!value && word == key) {
      to.flags |= flag;
      return {};
    }
  bool comma = value && value->find(',') != std::string::npos;
  bool quoted = comma && (key.ends_with("context") && !value->starts_with('"'));  // SELinux's categories
  if (comma && !key.ends_with("context")) return fail(Code::InvalidArgument, "a comma in the mount option \"{}\"", key);
  if (!to.data.empty()) to.data += ',';
  to.data += key;
  if (value) to.data += quoted ? "=\"" + *value + "\"" : "=" + *value;
  return {};
}

Result<int64_t> mount_id_of(std::string_view fdinfo) {
  for (auto line : split(fdinfo, '\n')) {
    if (!line.starts_with("mnt_id:")) continue;
    if (auto id = parse_int(trim(line.substr(7)))) return *id;
  }
  return fail(Code::Internal, "no mount id in fdinfo");
}

Result<std::vector<std::pair<int64_t, std::string>>> children_in_mountinfo(std::string_view mountinfo, int64_t top) {
  auto lines = mounts_by_id(mountinfo);
  auto found = lines.find(top);
  if (found == lines.end()) return fail(Code::Internal, "mount {} is not in mountinfo", top);
  const std::string prefix = found->second.point == "/" ? "" : found->second.point;
  std::vector<std::pair<int64_t, std::string>> below;
  std::vector<int64_t> parents = {top};
  for (size_t i = 0; i < parents.size(); ++i)
    for (const auto& [id, line] : lines)
      if (line.parent == parents[i] && id != parents[i]) {
        parents.push_back(id);
        below.emplace_back(id, line.point.starts_with(prefix) ? line.point.substr(prefix.size()) : line.point);
      }
  return below;
}

std::vector<std::string> points_directly_below(std::string_view mountinfo, int64_t parent, int64_t but) {
  std::vector<std::string> points;
  for (const auto& [id, line] : mounts_by_id(mountinfo))
    if (line.parent == parent && id != parent && id != but) points.push_back(line.point);
  return points;
}

std::vector<MountAbove> mounts_above(std::string_view mountinfo, int64_t mount) {
  auto lines = mounts_by_id(mountinfo);
  std::vector<MountAbove> above;
  for (auto here = lines.find(mount); here != lines.end() && here->second.parent != here->first;) {
    here = lines.find(here->second.parent);  // the root's parent is not listed
    if (here != lines.end()) above.push_back({here->first, here->second.point});
  }
  return above;
}

bool has_shared_outside(std::string_view mountinfo, int64_t but) {
  for (const auto& [id, line] : mounts_by_id(mountinfo)) {
    if (!line.shared || id == but) continue;
    auto above = mounts_above(mountinfo, id);
    if (std::none_of(above.begin(), above.end(), [but](const MountAbove& mount) { return mount.id == but; }))
      return true;
  }
  return false;
}

}  // namespace sampan::sys
