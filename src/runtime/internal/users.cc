#include "runtime/internal/users.h"

#include <algorithm>

#include "base/strings.h"

namespace sampan::runtime::internal {
namespace {

constexpr uint64_t kMaxId = 0xfffffffe;  // 2^32-1 is "no change" to the kernel

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<uint32_t> parse_id(std::string_view text) {
  auto value = parse_uint(text);
  if (!value || *value > kMaxId) return fail(Code::InvalidArgument, "uids and gids must be in range 0-{}", kMaxId);
  return static_cast<uint32_t>(*value);
}

struct PasswdEntry {
  std::string_view name, home;
  uint32_t uid = 0, gid = 0;
};
struct GroupEntry {
  std::string_view name, members;
  uint32_t gid = 0;
};

/// Calls `use` with the colon-separated fields of every line until it returns true.
template <typename Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string_view> fields;
    size_t begin = 0;
    for (size_t colon; (colon = line.find(':', begin)) != std::string_view::npos; begin = colon + 1)
      fields.push_back(line.substr(begin, colon - begin));
    fields.push_back(line.substr(begin));
    if (use(fields)) return;
  }
}

template <typename Match>
std::optional<PasswdEntry> find_passwd(std::string_view passwd, Match match) {
  std::optional<PasswdEntry> found;
  for_each_line(passwd, [&](const std::vector<std::string_view>& f) {
    if (f.size() < 4) return false;
    auto uid = parse_id(f[2]), gid = parse_id(f[3]);
    if (!uid || !gid) return false;
    PasswdEntry entry{f[0], f.size() > 5 ? f[5] : std::string_view(), *uid, *gid};
    if (!match(entry)) return false;
    found = entry;
    return true;
  });
  return found;
}

template <typename Use>
void for_each_group(std::string_view group, Use use) {
  for_each_line(group, [&](const std::vector<std::string_view>& f) {
    if (f.size() < 3) return false;
    auto gid = parse_id(f[2]);
    return gid && use(GroupEntry{f[0], f.size() > 3 ? f[3] : std::string_view(), *gid});
  });
}

std::optional<uint32_t> find_group(std::string_view group, std::string_view name) {
  std::optional<uint32_t> found;
  for_each_group(group, [&](const GroupEntry& entry) {
    if (entry.name == name) found = entry.gid;
    return found.has_value();
  });
  return found;
}

std::vector<gid_t> groups_of_member(std::string_view group, std::string_view user) {
  std::vector<gid_t> out;
  for_each_group(group, [&](const GroupEntry& entry) {
    for (const auto& member : split(entry.members, ','))
      if (trim(member) == user) out.push_back(entry.gid);
    return false;
  });
  return out;
}

Result<uint32_t> resolve_group(std::string_view name, std::string_view group) {
  if (all_digits(name)) return parse_id(name);
  if (auto found = find_group(group, name)) return *found;
  return fail(Code::InvalidArgument, "unable to find group {}: no matching entries in group file", name);
}

}  // namespace

void set_supplementary(Identity& identity, std::vector<gid_t> groups) {
  groups.push_back(identity.gid);
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  identity.groups = std::move(groups);
}

Result<void> add_groups(Identity& identity, const std::vector<std::string>& names, std::string_view group) {
  auto groups = identity.groups;
  for (const auto& name : names) {
    auto gid = resolve_group(name, group);
    if (!gid && gid.error().message().starts_with("unable to find"))
      return fail(Code::InvalidArgument, "Unable to find group {}", name);
    groups.push_back(TRY(std::move(gid)));
  }
  set_supplementary(identity, std::move(groups));
  return {};
}

std::optional<std::string> home_of(uint32_t uid, std::string_view passwd) {
  auto entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.uid == uid; });
  if (!entry || entry->home.empty()) return std::nullopt;
  return std::string(entry->home);
}

Result<Identity> resolve_user(const UserRequest& request, std::string_view passwd, std::string_view group) {
  auto parts = split_once(request.user, ':');
  std::string_view user = parts ? parts->first : std::string_view(request.user);
  std::string_view wanted_group = parts ? parts->second : std::string_view();
  Identity identity;
  std::optional<PasswdEntry> entry;
  if (user.empty()) {
    entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.uid == 0; });
  } else if (all_digits(user)) {
    identity.uid = TRY(parse_id(user));
    entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.uid == identity.uid; });
  } else {
    entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.name == user; });
    if (!entry) return fail(Code::InvalidArgument, "unable to find user {}: no matching entries in passwd file", user);
  }
  if (entry) {
    identity.uid = entry->uid;
    identity.gid = entry->gid;
    if (!entry->home.empty()) identity.home = std::string(entry->home);
  }
  std::vector<gid_t> groups;
  if (!wanted_group.empty())
    identity.gid = TRY(resolve_group(wanted_group, group));
  else if (entry)
    groups = groups_of_member(group, entry->name);
  set_supplementary(identity, std::move(groups));
  TRY(add_groups(identity, request.group_add, group));
  return identity;
}

}  // namespace sampan::runtime::internal
