#include "oci/user_mappings.h"

#include "base/strings.h"

namespace sampan::oci {

namespace {

bool equal(const std::vector<IdMapping>& a, const std::vector<IdMapping>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].container_id != b[i].container_id || a[i].host_id != b[i].host_id || a[i].size != b[i].size) return false;
  }
  return true;
}

std::optional<uint32_t> shifted(uint32_t id, uint32_t from, uint32_t to, uint32_t size) {
  if (id < from || id - from >= size) return std::nullopt;
  return to + (id - from);
}

}  // namespace

bool UserMappings::operator==(const UserMappings& other) const {
  return equal(uids, other.uids) && equal(gids, other.gids);
}

std::optional<uint32_t> host_id(const std::vector<IdMapping>& mappings, uint32_t inside) {
  for (const auto& range : mappings) {
    if (auto id = shifted(inside, range.container_id, range.host_id, range.size)) return id;
  }
  return std::nullopt;
}

std::optional<uint32_t> inside_id(const std::vector<IdMapping>& mappings, uint32_t host) {
  for (const auto& range : mappings) {
    if (auto id = shifted(host, range.host_id, range.container_id, range.size)) return id;
  }
  return std::nullopt;
}

Result<std::vector<IdMapping>> parse_subordinate_ids(std::string_view text, std::string_view owner,
                                                     std::optional<uint32_t> number) {
  std::vector<IdMapping> out;
  uint64_t next = 0;
  for (const auto& line : split(text, '\n')) {
    auto fields = split(trim(line), ':');
    if (fields.size() != 3) continue;
    bool ours = fields[0] == owner || (number && fields[0] == std::to_string(*number));
    auto first = parse_uint(fields[1]), count = parse_uint(fields[2]);
    if (!ours || !first || !count || *count == 0) continue;
    if (*first > UINT32_MAX || *count > UINT32_MAX || *first + *count > UINT32_MAX || next + *count > UINT32_MAX)
      return fail(Code::InvalidArgument, "the range \"{}\" is not one of 32-bit ids", trim(line));
    out.push_back({static_cast<uint32_t>(next), static_cast<uint32_t>(*first), static_cast<uint32_t>(*count)});
    next += *count;
  }
  return out;
}

std::vector<IdMapping> parse_id_map(std::string_view text) {
  std::vector<IdMapping> out;
  for (const auto& line : split(text, '\n')) {
    std::vector<uint32_t> numbers;
    for (const auto& field : split(line, ' ')) {
      if (auto number = parse_uint(trim(field))) numbers.push_back(static_cast<uint32_t>(*number));
    }
    if (numbers.size() == 3) out.push_back({numbers[0], numbers[1], numbers[2]});
  }
  return out;
}

}  // namespace sampan::oci
