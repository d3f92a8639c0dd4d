// volume/mount: the local driver's options to one mount. Pure.

#include <algorithm>

#include "base/strings.h"
#include "volume/volume.h"

namespace sampan::volume {
namespace {

constexpr std::string_view kFlags[] = {"ro",      "rw",       "nosuid",  "suid",     "nodev",      "dev",
                                       "noexec",  "exec",     "noatime", "relatime", "nodiratime", "strictatime",
                                       "private", "rprivate", "shared",  "rshared",  "slave",      "rslave"};
constexpr std::string_view kTmpfsValues[] = {"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "mpol"};

template <size_t N>
bool holds(const std::string_view (&list)[N], std::string_view text) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

std::string option(const VolumeRecord& record, const std::string& name) {
  auto found = record.options.find(name);
  return found == record.options.end() ? std::string() : found->second;
}

std::vector<std::string> words(const std::string& options) {
  std::vector<std::string> out;
  for (auto& word : split(options, ',')) {
    if (!trim(word).empty()) out.emplace_back(trim(word));
  }
  return out;
}

Result<void> check_names(const VolumeRecord& record) {
  for (const auto& [name, value] : record.options) {
    if (name == "size") return fail(Code::InvalidArgument, "quota size requested but no quota support");
    if (name != "type" && name != "o" && name != "device")
      return fail(Code::InvalidArgument, "invalid option: \"{}\"", name);
  }
  if (!record.options.empty() && option(record, "device").empty())
    return fail(Code::InvalidArgument, "missing device in volume options");
  return {};
}

Result<oci::Mount> bind_mount(const std::string& device, const std::vector<std::string>& options) {
  if (!device.starts_with('/'))
    return fail(Code::InvalidArgument, "the device of a bind volume must be an absolute path: \"{}\"", device);
  oci::Mount mount;
  mount.type = "bind";
  mount.source = device;
  mount.options = options;
  for (const auto& word : options) {
    if (word != "bind" && word != "rbind" && !holds(kFlags, word)) {
      return fail(Code::InvalidArgument, "mount option \"{}\" is not supported by a bind volume", word);
    }
  }
  return mount;
}

Result<oci::Mount> tmpfs_mount(const std::string& device, const std::vector<std::string>& options) {
  oci::Mount mount;
  mount.type = "tmpfs";
  mount.source = device;
  mount.options = options;
  for (const auto& word : options) {
    auto pair = split_once(word, '=');
    bool known = pair ? holds(kTmpfsValues, pair->first) && !pair->second.empty() : holds(kFlags, word);
    if (!known) return fail(Code::InvalidArgument, "mount option \"{}\" is not supported by a tmpfs volume", word);
  }
  return mount;
}

}  // namespace

bool has_own_files(const VolumeRecord& record) {
  return record.options.empty();
}

Result<oci::Mount> volume_mount(const VolumeRecord& record) {
  TRY(check_names(record));
  if (has_own_files(record)) {
    oci::Mount mount;
    mount.type = "bind";
    mount.source = record.mountpoint;
    mount.options = {"rbind"};
    return mount;
  }
  std::string type = option(record, "type"), device = option(record, "device");
  auto options = words(option(record, "o"));
  bool binds =
      std::any_of(options.begin(), options.end(), [](const auto& word) { return word == "bind" || word == "rbind"; });
  if (binds || type == "bind") {
    if (!binds) options.insert(options.begin(), "bind");
    return bind_mount(device, options);
  }
  if (type == "tmpfs") return tmpfs_mount(device, options);
  return fail(Code::InvalidArgument,
              "volume type \"{}\" is not supported: only tmpfs and, with o=bind, host directories", type);
}

}  // namespace sampan::volume
