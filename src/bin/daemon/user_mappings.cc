#include "daemon/user_mappings.h"

#include <grp.h>
#include <pwd.h>
#include <spdlog/spdlog.h>

#include "base/strings.h"
#include "sys/file.h"

namespace sampan::daemon {

namespace {

constexpr const char* kDefaultUser = "dockremap";

struct Owner {
  std::string name;
  std::optional<uint32_t> number;
};

Result<Owner> find_user(const std::string& text) {
  std::string buffer(16 << 10, '\0');
  passwd entry{}, *found = nullptr;
  if (auto number = parse_uint(text)) {
    ::getpwuid_r(static_cast<uid_t>(*number), &entry, buffer.data(), buffer.size(), &found);
    if (*number > INT32_MAX || !found) return fail(Code::NotFound, "uid {} has no entry in /etc/passwd", text);
  } else {
    ::getpwnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found) return fail(Code::NotFound, "error during uid lookup for \"{}\": no such user", text);
  }
  return Owner{found->pw_name, found->pw_uid};
}

Result<Owner> find_group(const std::string& text) {
  std::string buffer(64 << 10, '\0');
  group entry{}, *found = nullptr;
  if (auto number = parse_uint(text)) {
    ::getgrgid_r(static_cast<gid_t>(*number), &entry, buffer.data(), buffer.size(), &found);
    if (*number > INT32_MAX || !found) return fail(Code::NotFound, "gid {} has no entry in /etc/group", text);
  } else {
    ::getgrnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found) return fail(Code::NotFound, "error during gid lookup for \"{}\": no such group", text);
  }
  return Owner{found->gr_name, found->gr_gid};
}

Result<std::vector<oci::IdMapping>> ranges_of(const Owner& owner, const std::string& file, const char* kind) {
  auto text = TRY(sys::read_file(file, 4 << 20));
  auto out = TRY_CONTEXT(oci::parse_subordinate_ids(text, owner.name, owner.number), file);
  if (!out.empty()) return out;
  return fail(Code::NotFound,
              "Can't create ID mappings: no {} ranges found for user \"{}\": add a line like "
              "{}:100000:65536 to {}",
              kind, owner.name, owner.name, file);
}

}  // namespace

Result<oci::UserMappings> find_user_mappings(const std::string& remap, const IdFiles& files) {
  if (remap.empty()) return oci::UserMappings();
  auto parts = split(remap, ':');
  if (parts.size() > 2 || parts[0].empty() || parts.back().empty())
    return fail(Code::InvalidArgument, "invalid user/group specification in --userns-remap: \"{}\"", remap);
  Owner user{kDefaultUser, std::nullopt}, group = user;
  bool by_default = parts[0] == "default";
  if (!by_default) user = TRY(find_user(parts[0]));
  if (!by_default || parts.size() == 2) group = TRY(find_group(parts.back()));
  if (user.number == 0u) {
    spdlog::warn("User namespaces: root cannot be remapped with itself; user namespaces are OFF");
    return oci::UserMappings();
  }
  oci::UserMappings out;
  out.uids = TRY(ranges_of(user, files.subuid, "subuid"));
  out.gids = TRY(ranges_of(group, files.subgid, "subgid"));
  spdlog::info("User namespaces: ID ranges will be mapped to subuid/subgid ranges of: {}", user.name);
  return out;
}

}  // namespace sampan::daemon
