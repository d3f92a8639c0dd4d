// "user[:group]" looked up in an image's passwd and group files. Input: request, NUL, passwd, NUL, group.
#include "fuzz/fuzz.h"

#include <algorithm>

#include "base/strings.h"
#include "runtime/internal/users.h"

using namespace sampan::runtime::internal;

FUZZ_TARGET(users) {
  auto first = sampan::split_once(input, '\0');
  if (!first || first->first.empty()) return;
  auto files = sampan::split_once(first->second, '\0').value_or(std::pair(first->second, std::string_view()));
  UserRequest request{std::string(first->first), {}};
  auto found = resolve_user(request, files.first, files.second);
  (void)home_of(0, files.first);
  if (!found) {
    require(!found.error().message().empty(), "an error has words");
    return;
  }
  auto in_set = [&](uint32_t gid) { return std::binary_search(found->groups.begin(), found->groups.end(), gid); };
  require(in_set(found->gid), "the primary group is one of the groups");
  require(found->uid != UINT32_MAX && found->gid != UINT32_MAX, "-1 is nobody");
  if (add_groups(*found, sampan::split(request.user, ':'), files.second))
    require(std::is_sorted(found->groups.begin(), found->groups.end()), "the groups stay sorted");
}
