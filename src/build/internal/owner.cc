#include "build/internal/owner.h"

#include "base/strings.h"
#include "sys/safe_path.h"

namespace sampan::build {
namespace {

constexpr size_t kMaxDatabase = 10 << 20;

/// Digits are a number and never a name: an image must not be able to give "0" another meaning, nor 4294967295 a user.
Result<std::optional<uint32_t>> parse_number(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::optional<uint32_t>();
  auto number = parse_uint(text);
  if (!number || *number > UINT32_MAX - 1) return fail(Code::InvalidArgument, "id {} is out of range", text);
  return std::optional(static_cast<uint32_t>(*number));
}

struct Entry {
  uint32_t id = 0, gid = 0;
};
/// The line of passwd or group with that name.
std::optional<Entry> find_name(std::string_view database, std::string_view name) {
  for (const auto& line : split(database, '\n')) {
    auto fields = split(line, ':');
    if (fields.size() < 3 || fields[0] != name) continue;
    auto id = parse_uint(fields[2]);
    auto gid = fields.size() > 3 ? parse_uint(fields[3]) : std::nullopt;
    if (id && *id < UINT32_MAX) return Entry{static_cast<uint32_t>(*id), static_cast<uint32_t>(gid.value_or(*id))};
  }
  return std::nullopt;
}

Result<Entry> resolve(int root, const char* database, std::string_view name, const char* what) {
  if (auto number = TRY(parse_number(name))) return Entry{*number, *number};
  auto text = sys::read_file_in_root(root, database, kMaxDatabase);
  auto found = text ? find_name(*text, name) : std::nullopt;
  if (!found)
    return fail(Code::NotFound, "unable to convert {} chown string to usable ids: can't find {} \"{}\"", what, what,
                name);
  return *found;
}

}  // namespace

Result<std::pair<uint32_t, uint32_t>> resolve_owner(int root, const std::string& text) {
  auto parts = split_once(text, ':');
  std::string_view user = parts ? parts->first : std::string_view(text);
  auto owner = TRY(resolve(root, "etc/passwd", user, "uid"));
  if (!parts) return std::pair(owner.id, owner.gid);
  auto group = TRY(resolve(root, "etc/group", parts->second, "gid"));
  return std::pair(owner.id, group.id);
}

}  // namespace sampan::build
